"""What the executor publishes of executions; read, never written."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.explanations import ExecutionGlance

_ONE = text(
    "SELECT attempts, next_attempt_at, deadline_at, last_error FROM executor.published_execution "
    "WHERE organization_id = :organization_id AND promotion_id = :promotion_id"
)


async def load_execution(
    connection: AsyncConnection, organization_id: str, promotion_id: UUID
) -> ExecutionGlance | None:
    """Say how far the execution of a promotion is, if it has begun."""
    result = await connection.execute(_ONE, {"organization_id": organization_id, "promotion_id": promotion_id})
    row = result.first()
    return None if row is None else ExecutionGlance.model_validate(dict(row._mapping))
