"""Leases on deliveries: claiming what is due, webhook by webhook, and writing what came of it.

Every claim raises the epoch, and nothing is written under an epoch that is not the last.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.domain.course import Answer, Attempt, Delivery, Standing
from services.notifications.domain.hook import Hook
from services.notifications.domain.lanes import Wanted
from services.notifications.store.hooks import ACTIVE, COLUMNS, to_hook

# One look at the index for each active webhook that does not rest.
_WITH_WORK = text(f"""
    SELECT {COLUMNS} FROM notifications.webhook AS h
    WHERE {ACTIVE} AND (h.rests_until IS NULL OR h.rests_until <= :now)
        AND EXISTS (SELECT FROM notifications.delivery AS d WHERE d.organization_id = h.organization_id
            AND d.webhook_id = h.id AND d.status = 'waiting' AND d.due_at <= :now)
    ORDER BY h.organization_id, h.id
""")  # noqa: S608 - constants

_CLAIM = text("""
    WITH due AS MATERIALIZED (
        SELECT found.organization_id, found.id
        FROM unnest(cast(:organizations AS text[]), cast(:webhooks AS uuid[]), cast(:rooms AS int[]))
            AS w (organization_id, webhook_id, room)
        CROSS JOIN LATERAL (
            SELECT d.organization_id, d.id FROM notifications.delivery AS d
            WHERE d.organization_id = w.organization_id AND d.webhook_id = w.webhook_id AND d.status = 'waiting'
                AND d.due_at <= :now
            ORDER BY d.due_at LIMIT w.room FOR UPDATE SKIP LOCKED
        ) AS found
    )
    UPDATE notifications.delivery AS d SET
        leased = true, epoch = d.epoch + 1, due_at = :lease_until, attempts = d.attempts + 1, last_attempt_at = :now
    FROM due WHERE d.organization_id = due.organization_id AND d.id = due.id
    RETURNING d.organization_id, d.id, d.webhook_id, d.event_id, d.body, d.epoch, d.attempts, d.deadline_at
""")

_SETTLE = text("""
    UPDATE notifications.delivery AS d SET
        status = i.status, due_at = i.due_at, ended_at = i.ended_at, leased = false,
        last_duration_ms = i.duration_ms, last_status = i.last_status, last_error = i.last_error,
        last_answer = i.last_answer
    FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:epochs AS bigint[]),
        cast(:statuses AS text[]), cast(:due_at AS timestamptz[]), cast(:ended_at AS timestamptz[]),
        cast(:durations AS int[]), cast(:last_statuses AS int[]), cast(:errors AS text[]), cast(:answers AS text[]))
        AS i (organization_id, id, epoch, status, due_at, ended_at, duration_ms, last_status, last_error, last_answer)
    WHERE d.organization_id = i.organization_id AND d.id = i.id AND d.epoch = i.epoch AND d.leased
    RETURNING d.id, d.epoch
""")

_PULL_FORWARD = text("""
    UPDATE notifications.delivery AS d SET due_at = :now
    FROM unnest(cast(:organizations AS text[]), cast(:webhooks AS uuid[])) AS i (organization_id, webhook_id)
    WHERE d.organization_id = i.organization_id AND d.webhook_id = i.webhook_id AND d.status = 'waiting'
        AND d.due_at > :now AND NOT d.leased
""")


async def hooks_with_work(connection: AsyncConnection, *, now: datetime) -> list[Hook]:
    """Give every active webhook for which something is due and that does not rest."""
    return [to_hook(row) for row in await connection.execute(_WITH_WORK, {"now": now})]


async def claim(
    connection: AsyncConnection, wanted: Sequence[Wanted], *, now: datetime, lease_until: datetime
) -> list[Delivery]:
    """Lease what is due of each webhook, oldest first, as much as there is room for."""
    if not wanted:
        return []
    rows = await connection.execute(
        _CLAIM,
        {
            "organizations": [item.hook.organization_id for item in wanted],
            "webhooks": [item.hook.id for item in wanted],
            "rooms": [item.room for item in wanted],
            "now": now,
            "lease_until": lease_until,
        },
    )
    return [Delivery(**row) for row in rows.mappings()]


async def settle(connection: AsyncConnection, settled: Sequence[tuple[Attempt, Standing]]) -> set[tuple[UUID, int]]:
    """Write what came of attempts; name, by id and epoch, those whose lease was still ours, the only ones written."""
    ordered = sorted(settled, key=lambda pair: (pair[0].delivery.organization_id, pair[0].delivery.id))
    deliveries = [attempt.delivery for attempt, _ in ordered]
    answers = [attempt.reply if isinstance(attempt.reply, Answer) else None for attempt, _ in ordered]
    rows = await connection.execute(
        _SETTLE,
        {
            "organizations": [delivery.organization_id for delivery in deliveries],
            "ids": [delivery.id for delivery in deliveries],
            "epochs": [delivery.epoch for delivery in deliveries],
            "statuses": [standing.status for _, standing in ordered],
            "due_at": [standing.due_at for _, standing in ordered],
            "ended_at": [standing.ended_at for _, standing in ordered],
            "durations": [_milliseconds(attempt) for attempt, _ in ordered],
            "last_statuses": [None if answer is None else answer.status for answer in answers],
            "errors": [attempt.error for attempt, _ in ordered],
            "answers": [None if answer is None or not answer.text else answer.text for answer in answers],
        },
    )
    return {(row.id, row.epoch) for row in rows}


async def pull_forward(connection: AsyncConnection, hooks: Collection[Hook], *, now: datetime) -> None:
    """Make everything that waits for ``hooks`` due: they are back."""
    if hooks:
        parameters = {
            "organizations": [hook.organization_id for hook in hooks],
            "webhooks": [hook.id for hook in hooks],
        }
        await connection.execute(_PULL_FORWARD, {**parameters, "now": now})


def _milliseconds(attempt: Attempt) -> int:
    # A clock that was set back makes no negative duration.
    return max(0, round((attempt.ended_at - attempt.began_at).total_seconds() * 1000))
