"""The typed client of the HTTP API: one method for each call, asynchronous here and blocking in SyncPromotionClient.

It decides nothing and repeats nothing: an error of the API is an exception of ``studio.problems``.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote
from uuid import UUID

from schemas.resources import (
    Accepted,
    Deployment,
    Environments,
    Gateway,
    HistoryEntry,
    Page,
    Promotion,
    PromotionRule,
)
from studio.problems import NotFound
from studio.transport import PREFIX, TIMEOUT_SECONDS, Answer, Transport, if_match
from studio.webhooks import WebhookCalls

BATCH = "application/cloudevents-batch+json"
P = ParamSpec("P")
T = TypeVar("T")

Body = Mapping[str, Any]
Filter = str | int | None


class PromotionClient:
    """A client of the API at ``url`` with ``api_key``; with ``on_behalf_of`` a delegate's key acts for that person.

    Use it with ``async with`` to share connections between calls. Bodies are mappings with the fields of
    ``schemas.resources``; answers are its models.
    """

    def __init__(self, url: str, api_key: str | None, *, on_behalf_of: str | None = None) -> None:
        self._transport = Transport(url, api_key)
        self._headers = {} if on_behalf_of is None else {"On-Behalf-Of": on_behalf_of}

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def create_promotion(
        self, body: Body, *, idempotency_key: str | None = None, wait_seconds: float = 0
    ) -> Promotion:
        """Ask for a promotion; with ``wait_seconds`` answer when it is decided or that time is over."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        answer = await self._call("POST", "/promotions", body=body, headers=headers, wait_seconds=wait_seconds)
        return Promotion.model_validate(answer.body)

    async def get_promotion(self, promotion_id: UUID | str) -> Promotion:
        """Give one promotion."""
        return Promotion.model_validate((await self._call("GET", f"/promotions/{_segment(promotion_id)}")).body)

    async def list_promotions(self, /, **filters: Filter) -> Page[Promotion]:
        """Give a page of promotions, newest first; filters, ``limit`` and ``cursor`` as the API has them."""
        return Page[Promotion].model_validate((await self._call("GET", "/promotions", query=filters)).body)

    async def approve(
        self, promotion_id: UUID | str, *, reason: str | None = None, override_conditions: bool = False
    ) -> Promotion:
        """Vote for a promotion."""
        body = _given(reason=reason, override_conditions=override_conditions or None)
        return await self._command(promotion_id, "approve", body)

    async def reject(self, promotion_id: UUID | str, *, reason: str) -> Promotion:
        """Vote against a promotion: it ends."""
        return await self._command(promotion_id, "reject", {"reason": reason})

    async def cancel(self, promotion_id: UUID | str, *, reason: str | None = None) -> Promotion:
        """Take a promotion back before it executes."""
        return await self._command(promotion_id, "cancel", _given(reason=reason))

    async def execute(self, promotion_id: UUID | str, *, wait_seconds: float = 0) -> Promotion:
        """Have an approved promotion executed; with ``wait_seconds`` answer when it has ended or that time is over."""
        return await self._command(promotion_id, "execute", {}, wait_seconds=wait_seconds)

    async def break_glass(self, promotion_id: UUID | str, *, reason: str) -> Promotion:
        """Approve a promotion alone, whatever its rules ask for; needs the role admin, and stands out everywhere."""
        return await self._command(promotion_id, "break-glass", {"reason": reason})

    @property
    def webhooks(self) -> WebhookCalls:
        """The calls about webhooks."""
        return WebhookCalls(self.raw)

    async def get_history(self, promotion_id: UUID | str) -> list[HistoryEntry]:
        """Give every transition and vote of a promotion, oldest first; raises Gone where its month was let go."""
        path = f"/promotions/{_segment(promotion_id)}/history"
        return [HistoryEntry.model_validate(item) for item in await self._all(path)]

    async def list_rules(self) -> list[PromotionRule]:
        """Give every rule."""
        return [PromotionRule.model_validate(item) for item in await self._all("/promotions/rules")]

    async def get_rule(self, rule_id: UUID | str) -> PromotionRule:
        """Give one rule."""
        return PromotionRule.model_validate((await self._call("GET", _rule(rule_id))).body)

    async def create_rule(self, body: Body) -> PromotionRule:
        """Make a rule."""
        return PromotionRule.model_validate((await self._call("POST", "/promotions/rules", body=body)).body)

    async def replace_rule(self, rule_id: UUID | str, body: Body, *, version: int | None = None) -> PromotionRule:
        """Replace a rule; with ``version`` only where that is still the current one."""
        answer = await self._call("PUT", _rule(rule_id), body=body, headers=if_match(version))
        return PromotionRule.model_validate(answer.body)

    async def delete_rule(self, rule_id: UUID | str) -> None:
        """Delete a rule; what it decided is kept."""
        await self._call("DELETE", _rule(rule_id))

    async def list_deployments(self, /, **filters: Filter) -> Page[Deployment]:
        """Give a page of what runs where."""
        return Page[Deployment].model_validate((await self._call("GET", "/deployments", query=filters)).body)

    async def get_deployment(self, deployment_id: str) -> Deployment:
        """Give one deployment."""
        return Deployment.model_validate((await self._call("GET", f"/deployments/{_segment(deployment_id)}")).body)

    async def list_gateways(self) -> list[Gateway]:
        """Give every gateway."""
        return [Gateway.model_validate(item) for item in await self._all("/gateways")]

    async def get_gateway(self, gateway_id: str) -> Gateway:
        """Give one gateway."""
        return Gateway.model_validate((await self._call("GET", f"/gateways/{_segment(gateway_id)}")).body)

    async def put_gateway(self, gateway_id: str, body: Body) -> Gateway:
        """Replace a gateway, or register it where there is none of that id."""
        try:
            answer = await self._call("PUT", f"/gateways/{_segment(gateway_id)}", body=body)
        except NotFound:
            answer = await self._call("POST", "/gateways", body={"gateway_id": gateway_id, **body})
        return Gateway.model_validate(answer.body)

    async def delete_gateway(self, gateway_id: str) -> None:
        """Take a gateway out of the register; nothing is done to what runs there."""
        await self._call("DELETE", f"/gateways/{_segment(gateway_id)}")

    async def get_environments(self) -> Environments:
        """Give the environments in the order in which deployments move."""
        return Environments.model_validate((await self._call("GET", "/environments")).body)

    async def put_environments(self, names: Sequence[str]) -> Environments:
        """Replace the environments and their order."""
        answer = await self._call("PUT", "/environments", body={"names": list(names)})
        return Environments.model_validate(answer.body)

    async def send_events(self, events: Sequence[Body]) -> list[Accepted]:
        """Hand in CloudEvents; they are kept when this returns."""
        answer = await self._call("POST", "/events", body=list(events), headers={"Content-Type": BATCH})
        items = answer.body.get("items", [answer.body]) if isinstance(answer.body, dict) else answer.body
        return [Accepted.model_validate(item) for item in items]

    async def stream(self, *, after: str | None = None) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Follow the changes of the organization, from after the event id ``after``: event id and data of each."""
        headers = {"Accept": "text/event-stream"} | ({} if after is None else {"Last-Event-ID": after})
        async with self._transport.open("GET", f"{PREFIX}/stream", headers=self._headers | headers) as response:
            identifier, data = "", ""
            async for raw in response.content:
                name, _, value = raw.decode().rstrip("\r\n").partition(":")
                if name == "id":
                    identifier = value.strip()
                elif name == "data":
                    data += value.strip()
                elif not name and data:
                    yield identifier, json.loads(data)
                    data = ""

    async def readiness(self) -> dict[str, Any]:
        """Say whether the API does its work now; raises Unavailable where it does not."""
        return dict((await self._transport.call("GET", "/readyz", timeout_seconds=5.0)).body)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Filter] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Make any call below ``/api/v1`` and give the body as it is."""
        return (await self._call(method, path, body=body, query=query, headers=headers)).body

    async def _command(self, promotion_id: UUID | str, name: str, body: Body, *, wait_seconds: float = 0) -> Promotion:
        path = f"/promotions/{_segment(promotion_id)}/{name}"
        return Promotion.model_validate((await self._call("POST", path, body=body, wait_seconds=wait_seconds)).body)

    async def _all(self, path: str) -> list[Any]:
        items: list[Any] = []
        cursor: str | None = None
        while True:
            body = (await self._call("GET", path, query={"cursor": cursor})).body
            if isinstance(body, list):
                return body
            items += body["items"]
            cursor = body.get("next_cursor")
            if cursor is None:
                return items

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Filter] | None = None,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
    ) -> Answer:
        prefer = {"Prefer": f"wait={int(wait_seconds)}"} if wait_seconds >= 1 else {}
        return await self._transport.call(
            method,
            PREFIX + path,
            body=body,
            query=query,
            headers={**self._headers, **prefer, **(headers or {})},
            timeout_seconds=TIMEOUT_SECONDS + wait_seconds,
        )


def _sync(
    method: Callable[Concatenate[PromotionClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["SyncPromotionClient", P], T]:
    def call(self: "SyncPromotionClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(method(self.client, *args, **kwargs))

    call.__doc__, call.__name__ = method.__doc__, method.__name__
    return call


class SyncPromotionClient:
    """The same client for programs without an event loop: ``with SyncPromotionClient(url, key) as client``."""

    create_promotion = _sync(PromotionClient.create_promotion)
    get_promotion = _sync(PromotionClient.get_promotion)
    list_promotions = _sync(PromotionClient.list_promotions)
    approve = _sync(PromotionClient.approve)
    reject = _sync(PromotionClient.reject)
    cancel = _sync(PromotionClient.cancel)
    execute = _sync(PromotionClient.execute)
    break_glass = _sync(PromotionClient.break_glass)
    get_history = _sync(PromotionClient.get_history)
    list_rules = _sync(PromotionClient.list_rules)
    get_rule = _sync(PromotionClient.get_rule)
    create_rule = _sync(PromotionClient.create_rule)
    replace_rule = _sync(PromotionClient.replace_rule)
    delete_rule = _sync(PromotionClient.delete_rule)
    list_deployments = _sync(PromotionClient.list_deployments)
    get_deployment = _sync(PromotionClient.get_deployment)
    list_gateways = _sync(PromotionClient.list_gateways)
    get_gateway = _sync(PromotionClient.get_gateway)
    put_gateway = _sync(PromotionClient.put_gateway)
    delete_gateway = _sync(PromotionClient.delete_gateway)
    get_environments = _sync(PromotionClient.get_environments)
    put_environments = _sync(PromotionClient.put_environments)
    send_events = _sync(PromotionClient.send_events)
    readiness = _sync(PromotionClient.readiness)

    def __init__(self, url: str, api_key: str | None, *, on_behalf_of: str | None = None) -> None:
        self.client = PromotionClient(url, api_key, on_behalf_of=on_behalf_of)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self.run(self.client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.client.__aexit__(kind, error, trace))
        self._runner.close()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Wait for ``call``."""
        return self._runner.run(call)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _segment(identifier: UUID | str) -> str:
    return quote(str(identifier), safe="")


def _rule(rule_id: UUID | str) -> str:
    return f"/promotions/rules/{_segment(rule_id)}"
