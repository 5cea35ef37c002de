"""GET /promotions, one, and its history: the caller's organization alone."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from schemas import resources
from schemas.text import EnvironmentName, Identifier
from schemas.vocabulary import PromotionStatus, Role, StatusReason
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.http.problems import Problem, documented, invalid, not_found
from services.platform.identity import Principal
from services.promotion import attempts, cuts, history, listing, store
from services.promotion.domain.cuts import Cut
from services.promotion.domain.promotion import Key
from services.promotion.present import history_resource

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
PromotionId = Annotated[UUID, Path(description="The promotion's id.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many to list at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


def add_routes(routes: APIRouter, database: Database) -> None:
    """Add the routes that only look."""
    _add_list(routes, database)

    @routes.get("/promotions/{promotion_id:uuid}", responses=documented(404))
    async def get_promotion(viewer: Viewer, promotion_id: PromotionId) -> resources.Promotion:
        """Give one promotion; one that executes and whose last attempt failed is `retrying`."""
        key = Key(viewer.organization_id, promotion_id)
        async with database.begin() as connection:
            found = await store.load(connection, [key], lock=False)
            if key not in found:
                raise not_found("promotion", promotion_id)
            (shown,) = await attempts.present(connection, [found[key]])
        return shown

    @routes.get("/promotions/{promotion_id:uuid}/history", responses=documented(404, 410))
    async def get_promotion_history(
        viewer: Viewer, promotion_id: PromotionId, limit: Limit = 200, cursor: Cursor = None
    ) -> resources.Page[resources.HistoryEntry]:
        """List a promotion's transitions and votes, oldest first; 410 where its month of the history was let go."""
        key = Key(viewer.organization_id, promotion_id)
        after = 0 if cursor is None else read_cursor(cursor, int)[0]
        async with database.begin() as connection:
            found = await store.load(connection, [key], lock=False)
            if key not in found:
                raise not_found("promotion", promotion_id)
            created_at = found[key].request.created_at
            entries = await history.of_promotion(
                connection, key, created_at=created_at, after=min(max(after, 0), 2**31 - 1), limit=limit + 1
            )
            if not entries and after < found[key].version:
                cut = await cuts.of_month(connection, key.organization_id, history.month_of(created_at))
                if cut is not None:
                    raise _let_go(key, cut)
        following = write_cursor(entries[limit - 1].version) if len(entries) > limit else None
        return resources.Page(items=[history_resource(entry) for entry in entries[:limit]], next_cursor=following)


def _let_go(key: Key, cut: Cut) -> Problem:
    return Problem(
        410,
        "history_let_go",
        f"the history of promotion {key.id} was let go with all of {cut.month:%Y-%m}, when it was asked for; "
        "the promotion itself is kept. Ask whoever runs the system for the archive of that month",
        extra={"cut": cuts.resource(cut).model_dump(mode="json")},
    )


def _add_list(routes: APIRouter, database: Database) -> None:
    @routes.get("/promotions")
    async def list_promotions(
        viewer: Viewer,
        status: Annotated[PromotionStatus | None, Query()] = None,
        status_reason: Annotated[StatusReason | None, Query()] = None,
        agent_id: Annotated[Identifier | None, Query()] = None,
        source_deployment_id: Annotated[Identifier | None, Query()] = None,
        target_environment: Annotated[EnvironmentName | None, Query()] = None,
        target_gateway_id: Annotated[Identifier | None, Query()] = None,
        created_by: Annotated[Identifier | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> resources.Page[resources.Promotion]:
        """List promotions, newest first."""
        given = {
            "status": status,
            "status_reason": status_reason,
            "agent_id": agent_id,
            "source_deployment_id": source_deployment_id,
            "target_environment": target_environment,
            "target_gateway_id": target_gateway_id,
            "created_by": created_by,
        }
        filters = {name: str(value) for name, value in given.items() if value is not None}
        async with database.begin() as connection:
            found = await listing.page(
                connection,
                organization_id=viewer.organization_id,
                filters=filters,
                before=None if cursor is None else _place(cursor),
                limit=limit + 1,
            )
            shown = await attempts.present(connection, found[:limit])
        following = None
        if len(found) > limit:
            last = found[limit - 1].request
            following = write_cursor(last.created_at, str(last.id))
        return resources.Page(items=shown, next_cursor=following)


def _place(cursor: str) -> tuple[datetime, UUID]:
    created_at, identifier = read_cursor(cursor, datetime, str)
    try:
        return created_at, UUID(identifier)
    except ValueError:
        raise invalid(
            "query:/cursor", "invalid_cursor", "is not a cursor of this list", "pass next_cursor as you received it"
        ) from None
