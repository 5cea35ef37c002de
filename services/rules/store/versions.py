"""Every version that a rule had."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.rule import Rule
from services.rules.store.rules import rule_versions

_NUMBERS = text(
    "SELECT version FROM rules.rule_version WHERE organization_id = :organization_id AND rule_id = :rule_id "
    "ORDER BY version DESC LIMIT :limit"
)


async def versions_of(
    connection: AsyncConnection, organization_id: str, rule_id: UUID, *, limit: int = 100
) -> list[Rule]:
    """Give the newest versions of a rule, newest first; none where there never was one."""
    numbers = await connection.execute(
        _NUMBERS, {"organization_id": organization_id, "rule_id": rule_id, "limit": limit}
    )
    references = [(organization_id, rule_id, number) for number in numbers.scalars()]
    found = await rule_versions(connection, references)
    return [found[reference] for reference in references]
