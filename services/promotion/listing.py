"""Lists of promotions, newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import PromotionStatus, StatusReason
from services.promotion.attempts import RETRYING
from services.promotion.domain import lifecycle
from services.promotion.domain.promotion import Promotion
from services.promotion.rows import READ
from services.promotion.store import with_votes

FILTERS = (
    "status", "status_reason", "agent_id", "source_deployment_id", "target_environment", "target_gateway_id",
    "created_by",
)  # fmt: skip
_TRIED_AGAIN = (
    "(SELECT FROM executor.published_execution AS x WHERE x.organization_id = p.organization_id "
    f"AND x.promotion_id = p.id AND {RETRYING})"
)
# Stored alike, shown apart.
_EXECUTING: Mapping[str, str] = {
    StatusReason.EXECUTING: f"p.status_reason = 'executing' AND NOT EXISTS {_TRIED_AGAIN}",
    StatusReason.RETRYING: f"p.status = 'approved' AND p.status_reason = 'executing' AND EXISTS {_TRIED_AGAIN}",
}
# The statuses that a reason goes with.
_STATUSES: Mapping[str, frozenset[PromotionStatus]] = {
    reason: frozenset(state.status for state in lifecycle.SUCCESSORS if state is not None and state.reason is reason)
    for reason in StatusReason
}


async def page(
    connection: AsyncConnection,
    *,
    organization_id: str,
    filters: Mapping[str, str],
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Promotion]:
    """List promotions of one organization that have the values of ``filters``, created before ``before``."""
    conditions = ["p.organization_id = :organization_id"]
    parameters: dict[str, Any] = {"organization_id": organization_id, "limit": limit}
    for name in FILTERS:
        if name == "status_reason" and filters.get(name) in _EXECUTING:
            conditions.append(_EXECUTING[filters[name]])
        elif name in filters:
            conditions.append(f"p.{name} = :{name}")
            parameters[name] = filters[name]
    conditions += _by_status(filters)
    if before is not None:
        conditions.append("(p.created_at, p.id) < (:created_at, cast(:id AS uuid))")
        parameters |= {"created_at": before[0], "id": before[1]}
    statement = text(
        f"SELECT {READ} FROM promotion.promotion AS p WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY p.created_at DESC, p.id DESC LIMIT :limit"
    )
    return await with_votes(connection, (await connection.execute(statement, parameters)).all())


def _by_status(filters: Mapping[str, str]) -> list[str]:
    """Say in words of the statement itself which statuses are listed: PostgreSQL takes the index of these few then.

    A value that it is given apart could be any, the most frequent one too.
    """
    status, reason = filters.get("status"), filters.get("status_reason")
    listed = {PromotionStatus(status)} if status else _STATUSES.get(reason or "", frozenset())
    if not listed:
        return []
    return [f"p.status IN ({', '.join(sorted(repr(each.value) for each in listed))})"]
