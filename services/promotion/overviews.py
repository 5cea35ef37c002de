"""The history of a whole organization, newest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_OF_ACTOR = "AND h.actor = :actor"
# There is an index of what people did; services did so much that their newest are found at once.
_OF_PERSON = f"{_OF_ACTOR} AND h.actor NOT LIKE 'service:%'"
_AUDIT = (
    "SELECT h.chain_seq AS sequence, h.promotion_id, p.agent_id, p.target_environment, h.version, h.previous_status, "
    "h.status, h.status_reason, h.status_message, h.actor, h.via, h.at, h.evidence, encode(h.hash, 'hex') AS hash "
    "FROM promotion.history h JOIN promotion.promotion p "
    "ON p.organization_id = h.organization_id AND p.id = h.promotion_id "
    "WHERE h.organization_id = :organization AND h.chain_seq < :before {of_whom} ORDER BY h.chain_seq DESC LIMIT :limit"
)


async def audit(
    connection: AsyncConnection, organization_id: str, *, actor: str | None, before: int, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Give the entries before ``before``, newest first."""
    given: dict[str, Any] = {"organization": organization_id, "before": before, "limit": limit}
    of_whom = ""
    if actor is not None:
        given["actor"] = actor
        of_whom = _OF_ACTOR if actor.startswith("service:") else _OF_PERSON
    rows = await connection.execute(text(_AUDIT.format(of_whom=of_whom)), given)
    return [dict(row) for row in rows.mappings()]
