"""The Python door: promotions as plain dictionaries, over the HTTP API.

A service's own key speaks for the people that it names (role ``delegate``); history records both. Every error is one
of ``studio.problems`` and carries the API's problem document or the promotion as it stands.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from studio.problems import (
    Conflict,
    NotFound,
    PromotionFailed,
    PromotionNotApproved,
    PromotionRejected,
    PromotionUnfinished,
    Unconfigured,
)
from studio.transport import PREFIX, TIMEOUT_SECONDS, Transport

# How long one request may be held open for an outcome, and how long to rest where nothing tells when to look again.
LONG_POLL_SECONDS = 20
LOOK_AGAIN_SECONDS = 0.1
EVALUATION_SECONDS = 30.0
ARRIVAL_SECONDS = 30.0

PromotionId = str | UUID


class PromotionService:
    """Creates, decides and executes promotions.

    Without arguments it reads the address and the key of the API from PROMOTION_URL and PROMOTION_API_KEY. It can be
    used as it is, or with ``async with`` so that calls share connections.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        address = url or os.environ.get("PROMOTION_URL")
        key = api_key or os.environ.get("PROMOTION_API_KEY")
        if not address or not key:
            missing = " and ".join(
                name for name, value in (("PROMOTION_URL", address), ("PROMOTION_API_KEY", key)) if not value
            )
            raise Unconfigured(f"{missing} is not set; set it, or pass url and api_key")
        self._transport = Transport(address, key)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def create(self, promotion: Mapping[str, Any], *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Ask for a promotion on behalf of its ``created_by``; give it as it is stored, mostly still ``pending``.

        Needs ``agent_id``, ``source_deployment_id`` and ``target_environment``; ``target_gateway_id`` where the
        environment has several. ``organization_id`` has to be the key's own. Raises Invalid, NotFound or Conflict
        (one is under way for the same deployment and gateway). With ``idempotency_key`` a repeat gives the first.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = {name: str(value) if isinstance(value, UUID) else value for name, value in promotion.items()}
        person = body.get("created_by")
        return await self._call("POST", "/promotions", body=body, person=person, headers=headers)

    async def approve(self, promotion_id: PromotionId, approver_id: str | UUID) -> dict[str, Any]:
        """Vote for a promotion on behalf of ``approver_id``; give the promotion.

        May follow ``create`` at once: a vote that arrives before the rules are evaluated is kept and counts then.
        Raises Forbidden (one's own promotion) or Conflict (it has been decided already).
        """
        return await self._call("POST", f"{_path(promotion_id)}/approve", body={}, person=approver_id)

    async def reject(self, promotion_id: PromotionId, approver_id: str | UUID, reason: str) -> dict[str, Any]:
        """Vote against a promotion on behalf of ``approver_id``: it ends; give the promotion."""
        return await self._call("POST", f"{_path(promotion_id)}/reject", body={"reason": reason}, person=approver_id)

    async def break_glass(self, promotion_id: PromotionId, reason: str) -> dict[str, Any]:
        """Approve a promotion alone, in an emergency, whatever its rules ask for; give the promotion.

        The service's own key has to have the role admin for the target environment: nobody else's emergency is spoken
        for. It stands out in the history, in events and in metrics. Raises Forbidden or Conflict (it has ended).
        """
        return await self._call("POST", f"{_path(promotion_id)}/break-glass", body={"reason": reason})

    async def execute(self, promotion_id: PromotionId, *, timeout_seconds: float = 900.0) -> dict[str, Any]:
        """Execute an approved promotion, wait until it has ended, and give the deployment that it made.

        One that executes by itself is only waited for. Where the rules are still being evaluated, that is waited for
        too, up to 30 s. Raises PromotionNotApproved (it waits for approvals or conditions), PromotionRejected,
        PromotionFailed, or PromotionUnfinished after ``timeout_seconds``; it goes on by itself then.
        """
        deadline = time.monotonic() + timeout_seconds
        promotion = await self._start_execution(promotion_id, deadline)
        while promotion["status"] not in {"completed", "failed", "rejected"}:
            if time.monotonic() >= deadline:
                raise PromotionUnfinished(promotion)
            promotion = await self._execute(promotion_id, deadline)
        if promotion["status"] == "completed":
            return await self._deployment(str(promotion["target_deployment_id"]))
        raise _ended(promotion)

    async def check_auto_promotion(self, deployment_id: str) -> bool:
        """Tell whether a rule would promote this deployment by itself now. Raises NotFound for an unknown one."""
        explanation = await self._call("GET", f"/deployments/{quote(deployment_id, safe='')}/explain")
        return bool(explanation["would_promote"])

    async def create_webhook(self, webhook: Mapping[str, Any]) -> dict[str, Any]:
        """Register an address that is told of changes: ``name``, ``url`` and, if not of all, a ``filter``.

        The answer alone has its ``secret``. This and what follows needs a key with the role admin.
        """
        return await self._call("POST", "/webhooks", body=webhook)

    async def list_webhooks(self) -> list[dict[str, Any]]:
        """Give the webhooks with how they do, up to 200, oldest first."""
        return list((await self._call("GET", "/webhooks?limit=200"))["items"])

    async def list_webhook_deliveries(self, webhook_id: str | UUID) -> list[dict[str, Any]]:
        """Give what was last sent to a webhook and what came of it, up to 200, newest first."""
        return list((await self._call("GET", f"{_webhook(webhook_id)}/deliveries?limit=200"))["items"])

    async def test_webhook(self, webhook_id: str | UUID) -> dict[str, Any]:
        """Send a webhook something that only shows that it is reached; give the delivery."""
        return await self._call("POST", f"{_webhook(webhook_id)}/test")

    async def delete_webhook(self, webhook_id: str | UUID) -> None:
        """Delete a webhook and the log of its deliveries."""
        await self._call("DELETE", _webhook(webhook_id))

    async def get(self, promotion_id: PromotionId) -> dict[str, Any]:
        """Give a promotion as it stands."""
        return await self._call("GET", _path(promotion_id))

    async def _start_execution(self, promotion_id: PromotionId, deadline: float) -> dict[str, Any]:
        evaluated_by = min(deadline, time.monotonic() + EVALUATION_SECONDS)
        while True:
            try:
                return await self._execute(promotion_id, deadline)
            except Conflict:
                promotion = await self.get(promotion_id)
                if promotion["status"] in {"failed", "rejected"}:
                    raise _ended(promotion) from None
                evaluating = promotion["status_reason"] == "evaluating"
                if promotion["status"] == "pending" and not (evaluating and time.monotonic() < evaluated_by):
                    raise PromotionNotApproved(promotion) from None
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _execute(self, promotion_id: PromotionId, deadline: float) -> dict[str, Any]:
        wait = max(1, min(LONG_POLL_SECONDS, int(deadline - time.monotonic())))
        started = time.monotonic()
        promotion = await self._call(
            "POST",
            f"{_path(promotion_id)}/execute",
            body={},
            headers={"Prefer": f"wait={wait}"},
            timeout_seconds=TIMEOUT_SECONDS + wait,
        )
        if promotion["status"] == "approved" and time.monotonic() - started < LOOK_AGAIN_SECONDS:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return promotion

    async def _deployment(self, deployment_id: str) -> dict[str, Any]:
        # Inventory learns of it by its own event, which may come a moment later than the promotion's end.
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while True:
            try:
                return await self._call("GET", f"/deployments/{quote(deployment_id, safe='')}")
            except NotFound:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        person: str | UUID | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        acting_for = {} if person is None else {"On-Behalf-Of": str(person)}
        answer = await self._transport.call(
            method,
            PREFIX + path,
            body=body,
            headers={**acting_for, **(headers or {})},
            timeout_seconds=timeout_seconds,
        )
        return dict(answer.body or {})


def _path(promotion_id: PromotionId) -> str:
    return f"/promotions/{quote(str(promotion_id), safe='')}"


def _webhook(webhook_id: str | UUID) -> str:
    return f"/webhooks/{quote(str(webhook_id), safe='')}"


def _ended(promotion: Mapping[str, Any]) -> PromotionNotApproved:
    return PromotionFailed(promotion) if promotion["status"] == "failed" else PromotionRejected(promotion)
