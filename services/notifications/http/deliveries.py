"""What was sent to a webhook and what came of it; a test, and once more."""

from datetime import timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query

from schemas.resources import Page
from schemas.webhooks import DeliveryStatus, WebhookDelivery, WebhookDeliveryWhole
from services.notifications import commands
from services.notifications.http import present
from services.notifications.http.parameters import Admin, Cursor, DeliveryId, Limit, WebhookId, position
from services.notifications.store import hooks, log
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.problems import Problem, documented, not_found
from services.platform.settings import Settings


def add_routes(routes: APIRouter, database: Database, clock: Clock, settings: Settings) -> None:
    """Add the routes."""
    _add_log(routes, database)
    _add_sending(routes, database, clock, timedelta(seconds=settings.webhook_deadline_seconds))


def _add_log(routes: APIRouter, database: Database) -> None:
    @routes.get("/webhooks/{webhook_id}/deliveries", responses=documented(404))
    async def list_webhook_deliveries(
        admin: Admin,
        webhook_id: WebhookId,
        status: Annotated[DeliveryStatus | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[WebhookDelivery]:
        """List what was sent and what waits, newest first; deliveries that ended are kept for 30 days."""
        before = position(cursor)
        async with database.begin() as connection:
            if await hooks.one(connection, organization_id=admin.organization_id, webhook_id=webhook_id) is None:
                raise not_found("webhook", webhook_id)
            found = await log.page(
                connection,
                organization_id=admin.organization_id,
                webhook_id=webhook_id,
                status=status,
                before=before,
                limit=limit + 1,
            )
        return present.page_of_deliveries(found, limit=limit)

    @routes.get("/webhooks/{webhook_id}/deliveries/{delivery_id}", responses=documented(404))
    async def get_webhook_delivery(
        admin: Admin, webhook_id: WebhookId, delivery_id: DeliveryId
    ) -> WebhookDeliveryWhole:
        """Give one delivery with its body."""
        async with database.begin() as connection:
            hook = await hooks.one(connection, organization_id=admin.organization_id, webhook_id=webhook_id)
            found = await log.one(
                connection, organization_id=admin.organization_id, webhook_id=webhook_id, delivery_id=delivery_id
            )
        if hook is None or found is None:
            raise not_found("delivery", delivery_id)
        return present.whole_delivery(found)


def _add_sending(routes: APIRouter, database: Database, clock: Clock, deadline: timedelta) -> None:
    @routes.post("/webhooks/{webhook_id}/test", status_code=202, responses=documented(404, 409))
    async def test_webhook(admin: Admin, webhook_id: WebhookId) -> WebhookDelivery:
        """Send a webhook something that only shows that it is reached, past its filter."""
        now = clock()
        try:
            async with database.begin() as connection:
                sent = await commands.send_test(
                    connection,
                    organization_id=admin.organization_id,
                    webhook_id=webhook_id,
                    event_id=str(uuid4()),
                    by=admin.subject,
                    now=now,
                    deadline_at=now + deadline,
                )
        except commands.WebhookDisabled as error:
            raise Problem(409, "webhook_disabled", str(error)) from None
        if sent is None:
            raise not_found("webhook", webhook_id)
        return present.delivery(sent)

    @routes.post(
        "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202, responses=documented(404, 409)
    )
    async def redeliver_to_webhook(admin: Admin, webhook_id: WebhookId, delivery_id: DeliveryId) -> WebhookDelivery:
        """Send a delivery again, whatever became of it, under the same webhook-id."""
        now = clock()
        try:
            async with database.begin() as connection:
                again = await commands.redeliver(
                    connection,
                    organization_id=admin.organization_id,
                    webhook_id=webhook_id,
                    delivery_id=delivery_id,
                    now=now,
                    deadline_at=now + deadline,
                )
        except commands.WebhookDisabled as error:
            raise Problem(409, "webhook_disabled", str(error)) from None
        if again is None:
            raise not_found("delivery", delivery_id)
        return present.delivery(again)
