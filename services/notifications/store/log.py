"""Deliveries as people look at them: newest first, one page at a time, or one whole."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_GLANCE = (
    "id, webhook_id, event_id, event, promotion_id, status, attempts, created_at, deadline_at, ended_at, "
    "last_attempt_at, last_duration_ms, last_status, last_error, last_answer, "
    # While it is being sent, no next attempt is known.
    "CASE WHEN ended_at IS NULL AND NOT leased THEN due_at END AS next_attempt_at"
)
_OF_WEBHOOK = (
    f"SELECT {_GLANCE} FROM notifications.delivery "  # noqa: S608
    "WHERE organization_id = :organization_id AND webhook_id = :webhook_id "
)
_OF_STATUS = "AND status = :status "
_BEFORE = "AND (created_at, id) < (:before_at, cast(:before_id AS uuid)) "
_NEWEST = "ORDER BY created_at DESC, id DESC LIMIT :limit"
_ONE = text(
    f"SELECT {_GLANCE}, body FROM notifications.delivery "  # noqa: S608
    "WHERE organization_id = :organization_id AND webhook_id = :webhook_id AND id = :id"
)

Row = Mapping[str, Any]


async def page(
    connection: AsyncConnection,
    *,
    organization_id: str,
    webhook_id: UUID,
    status: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Row]:
    """List deliveries to one webhook, newest first, those before ``before``."""
    # What is not asked for is not in the statement: a plan for both ways would look at everything.
    statement = _OF_WEBHOOK
    parameters: dict[str, Any] = {"organization_id": organization_id, "webhook_id": webhook_id, "limit": limit}
    if status is not None:
        statement += _OF_STATUS
        parameters["status"] = status
    if before is not None:
        statement += _BEFORE
        parameters["before_at"], parameters["before_id"] = before
    rows = await connection.execute(text(statement + _NEWEST), parameters)
    return [dict(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, *, organization_id: str, webhook_id: UUID, delivery_id: UUID) -> Row | None:
    """Give one delivery with its body."""
    parameters = {"organization_id": organization_id, "webhook_id": webhook_id, "id": delivery_id}
    row = (await connection.execute(_ONE, parameters)).mappings().first()
    return None if row is None else dict(row)
