"""Lists of promotions, newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.promotion.domain.promotion import Promotion
from services.promotion.rows import READ
from services.promotion.store import with_votes

FILTERS = (
    "status", "status_reason", "agent_id", "source_deployment_id", "target_environment", "target_gateway_id",
    "created_by",
)  # fmt: skip


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
        if name in filters:
            conditions.append(f"p.{name} = :{name}")
            parameters[name] = filters[name]
    if before is not None:
        conditions.append("(p.created_at, p.id) < (:created_at, cast(:id AS uuid))")
        parameters |= {"created_at": before[0], "id": before[1]}
    statement = text(
        f"SELECT {READ} FROM promotion.promotion AS p WHERE {' AND '.join(conditions)} "  # noqa: S608
        "ORDER BY p.created_at DESC, p.id DESC LIMIT :limit"
    )
    return await with_votes(connection, (await connection.execute(statement, parameters)).all())
