"""Webhooks and deliveries as the API shows them; secrets and what is sealed never leave here."""

import json
from datetime import datetime

from schemas.resources import Page
from schemas.webhooks import StoredFilter, Webhook, WebhookDelivery, WebhookDeliveryWhole, WebhookWithSecret
from services.notifications.domain.hook import Hook
from services.notifications.store.log import Row
from services.platform.http.cursors import write_cursor


def webhook(hook: Hook, *, now: datetime) -> Webhook:
    """Show a webhook."""
    old = hook.old_secrets_at(now)
    return Webhook(
        id=hook.id,
        organization_id=hook.organization_id,
        version=hook.version,
        name=hook.name,
        url=hook.url,
        filter=StoredFilter.model_validate(hook.filter),
        status=hook.status,
        status_reason=hook.status_reason,
        failures=hook.health.failures,
        failing_since=hook.health.failing_since,
        last_delivered_at=hook.health.last_delivered_at,
        previous_secret_until=max((each.until for each in old), default=None),
        created_at=hook.created_at,
        created_by=hook.created_by,
        updated_at=hook.updated_at,
        updated_by=hook.updated_by,
    )


def with_secret(hook: Hook, secret: str, *, now: datetime) -> WebhookWithSecret:
    """Show a webhook with the secret that it just got."""
    return WebhookWithSecret(**dict(webhook(hook, now=now)), secret=secret)


def delivery(row: Row) -> WebhookDelivery:
    """Show a delivery."""
    return WebhookDelivery.model_validate(dict(row))


def whole_delivery(row: Row) -> WebhookDeliveryWhole:
    """Show a delivery with what is sent."""
    return WebhookDeliveryWhole.model_validate({**row, "body": json.loads(row["body"])})


def page_of_webhooks(found: list[Hook], *, limit: int, now: datetime) -> Page[Webhook]:
    """Show a page; ``found`` has one more where there is another page."""
    following = write_cursor(found[limit - 1].created_at, str(found[limit - 1].id)) if len(found) > limit else None
    return Page(items=[webhook(hook, now=now) for hook in found[:limit]], next_cursor=following)


def page_of_deliveries(found: list[Row], *, limit: int) -> Page[WebhookDelivery]:
    """Show a page; ``found`` has one more where there is another page."""
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = write_cursor(last["created_at"], str(last["id"]))
    return Page(items=[delivery(row) for row in found[:limit]], next_cursor=following)
