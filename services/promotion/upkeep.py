"""What is done without being asked: sending again what stays unanswered, expiry, free slots, partitions, old keys.

Each step is small, looks through an index, and is harmless to repeat or to run in two processes at once.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event
from services.platform import tracing
from services.platform.messaging.outbox import Outbox
from services.promotion import events, store
from services.promotion import tracing as spans
from services.promotion.domain import lifecycle
from services.promotion.domain.progress import expired
from services.promotion.domain.promotion import Cause, Promotion
from services.promotion.rows import READ
from services.promotion.work import Work

BATCH = 500
REDRIVE_LIMIT = timedelta(seconds=60)
IDEMPOTENCY_KEPT = timedelta(days=7)
_DUE = text(
    f"SELECT {READ}, p.redrives FROM promotion.promotion AS p WHERE p.due_at <= :now "  # noqa: S608
    f"ORDER BY p.due_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
)
_POSTPONE = text(
    "UPDATE promotion.promotion AS p SET due_at = i.due_at, redrives = p.redrives + 1 "
    "FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:moments AS timestamptz[])) "
    "AS i(organization_id, id, due_at) WHERE p.organization_id = i.organization_id AND p.id = i.id"
)
_MAKE_PARTITION = text("SELECT promotion.make_history_partition(cast(:month AS date))")
_FORGET_KEYS = text(
    "DELETE FROM promotion.idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM promotion.idempotency "
    "WHERE created_at < :before ORDER BY created_at LIMIT :limit))"
)

_log = structlog.get_logger()


async def redrive(connection: AsyncConnection, outbox: Outbox, *, now: datetime, redrive_after: timedelta) -> int:
    """Send again what the rules or the executor have not answered; give how many, BATCH meaning perhaps more."""
    rows = (await connection.execute(_DUE, {"now": now})).all()
    if not rows:
        return 0
    promotions = await store.with_votes(connection, rows)
    told = [_asked_again(promotion) for promotion in promotions]
    await outbox.append(connection, spans.told(told) if tracing.is_on() else told)
    parameters: dict[str, Any] = {
        "organizations": [row.organization_id for row in rows],
        "ids": [row.id for row in rows],
        "moments": [now + _pause(row.redrives, redrive_after) for row in rows],
    }
    await connection.execute(_POSTPONE, parameters)
    _log.info("sent again", promotions=len(rows))
    return len(rows)


def _asked_again(promotion: Promotion) -> Event:
    return events.requested(promotion) if promotion.state == lifecycle.EVALUATING else events.approved(promotion)


def _pause(redrives: int, redrive_after: timedelta) -> timedelta:
    doubled: timedelta = redrive_after * 2 ** min(redrives + 1, 10)
    return min(doubled, max(REDRIVE_LIMIT, redrive_after))


async def expire(work: Work) -> int:
    """End what has not begun to execute in time; give how many."""
    keys = await store.expired_keys(work.connection, now=work.now, limit=BATCH)
    if not keys:
        return 0
    promotions = (await work.locked(keys)).values()
    cause = Cause("service:promotion", work.now, {"clock": work.now.isoformat()})
    held = lifecycle.PENDING | lifecycle.HELD
    await work.save([expired(p, cause) for p in promotions if p.state in held and p.expires_at <= work.now])
    await work.record()
    return len(keys)


async def sweep(work: Work) -> int:
    """Start what is queued in free slots, should a dispatch ever have been missed; give how many slots."""
    slots = await store.free_slots(work.connection, limit=BATCH)
    await store.lock_slots(work.connection, slots)
    await work.dispatch(slots)
    await work.record()
    return len(slots)


async def make_partitions(connection: AsyncConnection, *, now: datetime) -> None:
    """Make the history's partitions of this month and the next."""
    first = now.date().replace(day=1)
    for month in (first, (first + timedelta(days=32)).replace(day=1)):
        await connection.execute(_MAKE_PARTITION, {"month": month})


async def forget_idempotency_keys(connection: AsyncConnection, *, now: datetime) -> int:
    """Forget the keys of requests that nobody repeats any more; give how many."""
    result = await connection.execute(_FORGET_KEYS, {"before": now - IDEMPOTENCY_KEPT, "limit": BATCH})
    return result.rowcount
