"""Whose facts each organization believes, as it is stored."""

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.publishers import Publishers

_OF = text(
    "SELECT organization_id, publishers FROM rules.fact_publishers "
    "WHERE organization_id = ANY(cast(:organizations AS text[]))"
)
_SAVE = text(
    "INSERT INTO rules.fact_publishers (organization_id, publishers, updated_at, updated_by) "
    "VALUES (:organization_id, cast(:publishers AS json), :now, :by) ON CONFLICT (organization_id) DO UPDATE SET "
    "publishers = excluded.publishers, updated_at = excluded.updated_at, updated_by = excluded.updated_by"
)


async def publishers_of(connection: AsyncConnection, organizations: Collection[str]) -> dict[str, Publishers]:
    """Give what those of ``organizations`` say that say anything."""
    rows = await connection.execute(_OF, {"organizations": sorted(organizations)})
    return {row.organization_id: Publishers.named(row.publishers) for row in rows}


async def names_of(connection: AsyncConnection, organization_id: str) -> dict[str, list[str]]:
    """Give what an organization says, as it was written."""
    row = (await connection.execute(_OF, {"organizations": [organization_id]})).first()
    return {} if row is None else dict(row.publishers)


async def save_names(
    connection: AsyncConnection, organization_id: str, names: dict[str, list[str]], *, by: str, now: datetime
) -> None:
    """Replace what an organization says."""
    await connection.execute(
        _SAVE, {"organization_id": organization_id, "publishers": json.dumps(names), "now": now, "by": by}
    )
