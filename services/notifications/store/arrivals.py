"""Deliveries as they come to be: each event once for each webhook, and once more on request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.webhooks import WebhookEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one webhook is to be told."""

    organization_id: str
    id: UUID
    webhook_id: UUID
    event_id: str
    event: WebhookEvent
    promotion_id: UUID | None
    body: str


_INSERT = text("""
    INSERT INTO notifications.delivery (organization_id, id, webhook_id, event_id, event, promotion_id, body,
        created_at, deadline_at, status, due_at)
    SELECT i.*, :now, :deadline_at, 'waiting', :now
    FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:webhooks AS uuid[]),
        cast(:event_ids AS text[]), cast(:events AS text[]), cast(:promotions AS uuid[]), cast(:bodies AS text[]))
        AS i (organization_id, id, webhook_id, event_id, event, promotion_id, body)
    ON CONFLICT DO NOTHING
""")

_AGAIN = text("""
    UPDATE notifications.delivery SET status = 'waiting', due_at = :now, deadline_at = :deadline_at, ended_at = NULL,
        leased = false, epoch = epoch + 1, attempts = 0, last_attempt_at = NULL, last_duration_ms = NULL,
        last_status = NULL, last_error = NULL, last_answer = NULL
    WHERE organization_id = :organization_id AND webhook_id = :webhook_id AND id = :id
""")


async def insert(
    connection: AsyncConnection, arrivals: Sequence[Arrival], *, now: datetime, deadline_at: datetime
) -> int:
    """Keep those of ``arrivals`` that are new; count them."""
    if not arrivals:
        return 0
    ordered = sorted(arrivals, key=lambda arrival: (arrival.organization_id, arrival.webhook_id, arrival.event_id))
    result = await connection.execute(
        _INSERT,
        {
            "organizations": [arrival.organization_id for arrival in ordered],
            "ids": [arrival.id for arrival in ordered],
            "webhooks": [arrival.webhook_id for arrival in ordered],
            "event_ids": [arrival.event_id for arrival in ordered],
            "events": [arrival.event for arrival in ordered],
            "promotions": [arrival.promotion_id for arrival in ordered],
            "bodies": [arrival.body for arrival in ordered],
            "now": now,
            "deadline_at": deadline_at,
        },
    )
    return int(result.rowcount)


async def send_again(
    connection: AsyncConnection,
    *,
    organization_id: str,
    webhook_id: UUID,
    delivery_id: UUID,
    now: datetime,
    deadline_at: datetime,
) -> bool:
    """Make a delivery due anew, whatever became of it; tell whether there is one."""
    result = await connection.execute(
        _AGAIN,
        {
            "organization_id": organization_id,
            "webhook_id": webhook_id,
            "id": delivery_id,
            "now": now,
            "deadline_at": deadline_at,
        },
    )
    return bool(result.rowcount)
