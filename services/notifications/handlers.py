"""What notifications does with changes and with what came of attempts: load, decide, save, return; the transaction is
the caller's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import PromotionChanged
from schemas.identifiers import NAMESPACE
from schemas.webhooks import WebhookEvent, WebhookStatus
from services.notifications.domain.course import Attempt, health_after, standing_after, why_disable
from services.notifications.domain.hook import Hook
from services.notifications.domain.lanes import is_failing
from services.notifications.domain.message import change_body, change_id
from services.notifications.store import arrivals, history, hooks, leases, upkeep
from services.notifications.store.arrivals import Arrival

# More than that waits for nobody who could ever take it.
MOST_WAITING = 100_000


async def take_in(
    connection: AsyncConnection, changes: Sequence[PromotionChanged], *, now: datetime, deadline: timedelta
) -> int:
    """Have every webhook that wants to hear of ``changes`` told, once each; count what is new.

    What is older than ``deadline`` is no news any more.
    """
    news = [change for change in changes if change.at > now - deadline]
    if not news:
        return 0
    listening = await hooks.listening(connection, {change.organization_id for change in news})
    told = [
        _arrival(hook, change)
        for change in news
        for hook in listening.get(change.organization_id, ())
        if hook.wants(change)
    ]
    return await arrivals.insert(connection, told, now=now, deadline_at=now + deadline)


async def catch_up(connection: AsyncConnection, *, now: datetime, patience: timedelta, deadline: timedelta) -> bool:
    """Take in from PostgreSQL the changes that are older than ``patience``; those that Kafka brought change nothing.

    Tell whether there are more than are looked at at once.
    """
    look = await history.ahead(connection, before=now - patience)
    await take_in(connection, look.changes, now=now, deadline=deadline)
    await history.move(connection, look.reached)
    return look.more


async def settle(
    connection: AsyncConnection, attempts: Sequence[Attempt], *, now: datetime, jitter: Callable[[], float]
) -> list[Hook]:
    """Write what came of ``attempts`` whose leases were still held; give the webhooks that are disabled by it."""
    if not attempts:
        return []
    # Webhooks are locked before their deliveries, by everybody who locks both.
    known = await hooks.lock(
        connection, {(attempt.delivery.organization_id, attempt.delivery.webhook_id) for attempt in attempts}
    )
    written = await leases.settle(
        connection, [(attempt, standing_after(attempt, jitter=jitter())) for attempt in attempts]
    )
    counted = [attempt for attempt in attempts if (attempt.delivery.id, attempt.delivery.epoch) in written]
    after = dict(known)
    for attempt in sorted(counted, key=lambda attempt: attempt.ended_at):
        hook = after.get(attempt.delivery.webhook_id)
        if hook is not None:
            after[hook.id] = _after(hook, attempt)
    await hooks.write_health(connection, [hook for hook in after.values() if hook != known[hook.id]])
    back = [hook for hook in after.values() if is_failing(known[hook.id]) and not hook.health.failures]
    await leases.pull_forward(connection, back, now=now)
    return [hook for hook in after.values() if hook.status is not known[hook.id].status]


async def disable_overflowing(connection: AsyncConnection) -> list[Hook]:
    """Disable the webhooks for which too much waits; give them."""
    found = await hooks.lock(connection, await upkeep.overflowing(connection, most=MOST_WAITING))
    reason = f"more than {MOST_WAITING} deliveries wait for it"
    disabled = [_disabled(hook, reason) for hook in found.values() if hook.status is WebhookStatus.ACTIVE]
    await hooks.write_health(connection, disabled)
    return disabled


def _after(hook: Hook, attempt: Attempt) -> Hook:
    hook = replace(hook, health=health_after(hook.health, attempt))
    reason = why_disable(hook.health, attempt)
    return hook if reason is None or hook.status is WebhookStatus.DISABLED else _disabled(hook, reason)


def _disabled(hook: Hook, reason: str) -> Hook:
    return replace(hook, version=hook.version + 1, status=WebhookStatus.DISABLED, status_reason=reason)


def _arrival(hook: Hook, change: PromotionChanged) -> Arrival:
    event_id = change_id(change)
    return Arrival(
        organization_id=hook.organization_id,
        id=delivery_id(hook.id, event_id),
        webhook_id=hook.id,
        event_id=event_id,
        event=WebhookEvent.PROMOTION_CHANGED,
        promotion_id=change.promotion_id,
        body=change_body(change),
    )


def delivery_id(webhook_id: UUID, event_id: str) -> UUID:
    """Give the id of the one delivery of an event to a webhook."""
    return uuid5(NAMESPACE, f"delivery\n{webhook_id}\n{event_id}")
