"""What an organization's administrators do with webhooks: load, decide, save, return; the transaction is the caller's.

A refusal is an exception that holds the wrong value and what to do.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.webhooks import WebhookEvent, WebhookStatus
from services.notifications.domain.hook import Health, Hook, with_new_secret
from services.notifications.domain.message import ping_body
from services.notifications.handlers import delivery_id
from services.notifications.store import arrivals, history, hooks, log
from services.notifications.store.arrivals import Arrival
from services.notifications.store.log import Row
from services.platform.http.etags import require_version

MOST_WEBHOOKS = 50

# The versions that the caller accepts to change, None for any; another one is a 412.
Expected = Collection[int] | None


class TooManyWebhooks(Exception):
    """The organization has as many webhooks as it may have."""


class WebhookDisabled(Exception):
    """Nothing is sent to a webhook that is disabled."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a webhook is to be, by whom."""

    name: str
    url: str
    filter: Mapping[str, Any]
    status: WebhookStatus
    by: str
    now: datetime


async def create(
    connection: AsyncConnection, wish: Wish, *, organization_id: str, webhook_id: UUID, secret: str
) -> Hook:
    """Add a webhook with a sealed ``secret``; raises TooManyWebhooks."""
    await hooks.take_turn(connection, organization_id)
    if await hooks.count(connection, organization_id) >= MOST_WEBHOOKS:
        raise TooManyWebhooks(f"there are {MOST_WEBHOOKS} webhooks, which is as many as there may be; delete one first")
    hook = Hook(
        organization_id=organization_id,
        id=webhook_id,
        version=1,
        name=wish.name,
        url=wish.url,
        filter=wish.filter,
        secret=secret,
        old_secrets=(),
        status=wish.status,
        status_reason=None,
        active_since=wish.now,
        health=Health(),
        created_at=wish.now,
        created_by=wish.by,
        updated_at=wish.now,
        updated_by=wish.by,
    )
    await history.begin_listening(connection, organization_id)
    await hooks.insert(connection, hook)
    return hook


async def change(
    connection: AsyncConnection, wish: Wish, *, organization_id: str, webhook_id: UUID, expected: Expected
) -> Hook | None:
    """Make a webhook what ``wish`` says; None where there is none.

    One that becomes active hears of what happens from now on; another address begins with a clean record.
    """
    await hooks.take_turn(connection, organization_id)
    known = await _to_change(connection, organization_id, webhook_id, expected)
    if known is None:
        return None
    awakes = known.status is WebhookStatus.DISABLED and wish.status is WebhookStatus.ACTIVE
    stays_disabled = known.status is WebhookStatus.DISABLED and wish.status is WebhookStatus.DISABLED
    changed = replace(
        known,
        version=known.version + 1,
        name=wish.name,
        url=wish.url,
        filter=wish.filter,
        status=wish.status,
        status_reason=known.status_reason if stays_disabled else None,
        active_since=wish.now if awakes else known.active_since,
        health=Health(last_delivered_at=known.health.last_delivered_at)
        if awakes or wish.url != known.url
        else known.health,
        updated_at=wish.now,
        updated_by=wish.by,
    )
    if awakes:
        await history.begin_listening(connection, organization_id)
    await hooks.replace(connection, changed)
    return changed


async def rotate(
    connection: AsyncConnection,
    *,
    organization_id: str,
    webhook_id: UUID,
    secret: str,
    overlap: timedelta,
    expected: Expected,
    by: str,
    now: datetime,
) -> Hook | None:
    """Sign with a new sealed ``secret``, and for the ``overlap`` with the one before too; raises TooManySecrets."""
    known = await _to_change(connection, organization_id, webhook_id, expected)
    if known is None:
        return None
    rotated = replace(
        with_new_secret(known, secret, overlap=overlap, now=now),
        version=known.version + 1,
        updated_at=now,
        updated_by=by,
    )
    await hooks.replace(connection, rotated)
    return rotated


async def delete(
    connection: AsyncConnection, *, organization_id: str, webhook_id: UUID, expected: Expected, now: datetime
) -> bool:
    """Take a webhook away; tell whether there was one."""
    if await _to_change(connection, organization_id, webhook_id, expected) is None:
        return False
    return await hooks.delete(connection, organization_id=organization_id, webhook_id=webhook_id, now=now)


async def send_test(
    connection: AsyncConnection,
    *,
    organization_id: str,
    webhook_id: UUID,
    event_id: str,
    by: str,
    now: datetime,
    deadline_at: datetime,
) -> Row | None:
    """Have a webhook told that it is reached; raises WebhookDisabled."""
    hook = await _active(connection, organization_id, webhook_id)
    if hook is None:
        return None
    arrival = Arrival(
        organization_id=organization_id,
        id=delivery_id(webhook_id, event_id),
        webhook_id=webhook_id,
        event_id=event_id,
        event=WebhookEvent.TEST,
        promotion_id=None,
        body=ping_body(organization_id=organization_id, webhook_id=str(webhook_id), name=hook.name, by=by, now=now),
    )
    await arrivals.insert(connection, [arrival], now=now, deadline_at=deadline_at)
    return await log.one(connection, organization_id=organization_id, webhook_id=webhook_id, delivery_id=arrival.id)


async def redeliver(
    connection: AsyncConnection,
    *,
    organization_id: str,
    webhook_id: UUID,
    delivery_id: UUID,
    now: datetime,
    deadline_at: datetime,
) -> Row | None:
    """Send a delivery again, whatever became of it; None where there is none; raises WebhookDisabled."""
    if await _active(connection, organization_id, webhook_id) is None:
        return None
    sent = await arrivals.send_again(
        connection,
        organization_id=organization_id,
        webhook_id=webhook_id,
        delivery_id=delivery_id,
        now=now,
        deadline_at=deadline_at,
    )
    if not sent:
        return None
    return await log.one(connection, organization_id=organization_id, webhook_id=webhook_id, delivery_id=delivery_id)


async def _to_change(
    connection: AsyncConnection, organization_id: str, webhook_id: UUID, expected: Expected
) -> Hook | None:
    known = await hooks.one(connection, organization_id=organization_id, webhook_id=webhook_id, to_change=True)
    if known is not None:
        require_version("webhook", known.version, accepted=expected)
    return known


async def _active(connection: AsyncConnection, organization_id: str, webhook_id: UUID) -> Hook | None:
    hook = await hooks.one(connection, organization_id=organization_id, webhook_id=webhook_id)
    if hook is not None and hook.status is WebhookStatus.DISABLED:
        raise WebhookDisabled(
            f"webhook {hook.name!r} is disabled{f': {hook.status_reason}' if hook.status_reason else ''}; "
            "make it active first (PUT, status active)"
        )
    return hook
