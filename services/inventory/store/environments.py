"""The ordered environments of those organizations that replaced the default."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def names(connection: AsyncConnection, organization_id: str) -> list[str] | None:
    """Give an organization's own list, or None where it has none."""
    result = await connection.execute(
        text("SELECT names FROM inventory.environments WHERE organization_id = :organization_id"),
        {"organization_id": organization_id},
    )
    row = result.first()
    return None if row is None else list(row.names)


async def replace(
    connection: AsyncConnection, organization_id: str, *, names: Sequence[str], by: str, now: datetime
) -> None:
    """Write an organization's own list."""
    await connection.execute(
        text(
            "INSERT INTO inventory.environments (organization_id, names, updated_at, updated_by) "
            "VALUES (:organization_id, cast(:names AS text[]), :now, :by) ON CONFLICT (organization_id) DO UPDATE "
            "SET names = excluded.names, updated_at = excluded.updated_at, updated_by = excluded.updated_by"
        ),
        {"organization_id": organization_id, "names": list(names), "now": now, "by": by},
    )
