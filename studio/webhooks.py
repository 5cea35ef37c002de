"""A client's calls about webhooks, with the models of ``schemas.webhooks``; they decide nothing and repeat nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from schemas.resources import Page
from schemas.webhooks import (
    Webhook,
    WebhookDelivery,
    WebhookDeliveryWhole,
    WebhookWithSecret,
)
from studio.transport import if_match

Call = Callable[..., Awaitable[Any]]
WebhookId = UUID | str


class WebhookCalls:
    """What administrators do with webhooks; ``raw`` makes one call below ``/api/v1`` and gives the body."""

    def __init__(self, raw: Call) -> None:
        self._raw = raw

    async def list_all(self) -> list[Webhook]:
        """Give every webhook, oldest first."""
        found: list[Webhook] = []
        cursor: str | None = None
        while True:
            page = Page[Webhook].model_validate(await self._raw("GET", "/webhooks", query={"cursor": cursor}))
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def get(self, webhook_id: WebhookId) -> Webhook:
        """Give one webhook."""
        return Webhook.model_validate(await self._raw("GET", _path(webhook_id)))

    async def create(self, body: Mapping[str, Any]) -> WebhookWithSecret:
        """Register an address; the answer alone has the secret."""
        return WebhookWithSecret.model_validate(await self._raw("POST", "/webhooks", body=dict(body)))

    async def replace(self, webhook_id: WebhookId, body: Mapping[str, Any], *, version: int | None = None) -> Webhook:
        """Replace a webhook; its secret stays. With ``version`` only where that is still the current one."""
        return Webhook.model_validate(
            await self._raw("PUT", _path(webhook_id), body=dict(body), headers=if_match(version))
        )

    async def delete(self, webhook_id: WebhookId) -> None:
        """Delete a webhook and the log of its deliveries."""
        await self._raw("DELETE", _path(webhook_id))

    async def rotate_secret(self, webhook_id: WebhookId, *, overlap_seconds: int | None = None) -> WebhookWithSecret:
        """Give a webhook a new secret; for the overlap the old one signs too."""
        body = {} if overlap_seconds is None else {"overlap_seconds": overlap_seconds}
        return WebhookWithSecret.model_validate(
            await self._raw("POST", f"{_path(webhook_id)}/rotate-secret", body=body)
        )

    async def test(self, webhook_id: WebhookId) -> WebhookDelivery:
        """Send something that only shows that the webhook is reached."""
        return WebhookDelivery.model_validate(await self._raw("POST", f"{_path(webhook_id)}/test"))

    async def deliveries(self, webhook_id: WebhookId, /, **filters: str | int | None) -> Page[WebhookDelivery]:
        """Give a page of what was sent, newest first; ``status``, ``limit`` and ``cursor`` as the API has them."""
        page = await self._raw("GET", f"{_path(webhook_id)}/deliveries", query=filters)
        return Page[WebhookDelivery].model_validate(page)

    async def delivery(self, webhook_id: WebhookId, delivery_id: UUID | str) -> WebhookDeliveryWhole:
        """Give one delivery with its body."""
        return WebhookDeliveryWhole.model_validate(await self._raw("GET", _delivery(webhook_id, delivery_id)))

    async def redeliver(self, webhook_id: WebhookId, delivery_id: UUID | str) -> WebhookDelivery:
        """Send a delivery again, whatever became of it."""
        sent = await self._raw("POST", f"{_delivery(webhook_id, delivery_id)}/redeliver")
        return WebhookDelivery.model_validate(sent)


def _path(webhook_id: WebhookId) -> str:
    return f"/webhooks/{quote(str(webhook_id), safe='')}"


def _delivery(webhook_id: WebhookId, delivery_id: UUID | str) -> str:
    return f"{_path(webhook_id)}/deliveries/{quote(str(delivery_id), safe='')}"
