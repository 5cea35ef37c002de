"""GET /audit/head and /audit/verify: what to keep elsewhere of an organization's history, and whether it is whole."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from schemas.operations import AuditBreak, AuditHead, AuditVerification
from schemas.vocabulary import Role
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.problems import invalid
from services.platform.identity import Principal
from services.promotion import cuts, history
from services.promotion.domain.chain import Head

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
# A page that is verified in some ten milliseconds.
VERIFIED_UNASKED = 500


def add_routes(routes: APIRouter, database: Database) -> None:
    """Add the routes."""

    @routes.get("/audit/head")
    async def get_audit_head(viewer: Viewer) -> AuditHead:
        """Give the end of the organization's history, to be kept where nobody here can write."""
        async with database.begin() as connection:
            head = await history.head(connection, viewer.organization_id)
            at = await history.made_at(connection, viewer.organization_id, head.seq)
            cut = await cuts.latest(connection, viewer.organization_id)
        return AuditHead(
            organization_id=viewer.organization_id,
            sequence=head.seq,
            hash=head.hash.hex(),
            at=at,
            cut=cut and cuts.resource(cut),
        )

    @routes.get("/audit/verify")
    async def verify_audit(
        viewer: Viewer,
        after: Annotated[int, Query(ge=0, le=2**62, description="The entry up to which it was verified before.")] = 0,
        hash_: Annotated[
            str | None, Query(alias="hash", pattern="^[0-9a-f]{64}$", description="The hash of that entry.")
        ] = None,
        limit: Annotated[
            int, Query(ge=1, le=history.VERIFIED_AT_ONCE, description="How many entries to verify at most.")
        ] = VERIFIED_UNASKED,
    ) -> AuditVerification:
        """Verify the next entries of the organization's history; go on with `sequence` and `hash` until `complete`."""
        start = _start(after, hash_)
        async with database.begin() as connection:
            found = await history.verify(connection, viewer.organization_id, start, limit=limit)
        broken = found.broken and AuditBreak(
            sequence=found.broken.seq, problem=found.broken.problem, promotion_id=found.broken.promotion_id
        )
        return AuditVerification(
            organization_id=viewer.organization_id,
            after=after,
            sequence=found.reached.seq,
            hash=found.reached.hash.hex(),
            complete=found.complete,
            broken=broken,
            cut=found.cut and cuts.resource(found.cut),
        )


def _start(after: int, hash_: str | None) -> Head:
    if after == 0:
        return Head()
    if hash_ is None:
        raise invalid("query:/hash", "missing", f"is needed with after={after}", "give the hash of that entry")
    return Head(after, bytes.fromhex(hash_))
