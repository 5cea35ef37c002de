"""Gateways that keep the contract and a network that does not: calls wait until the simulation lets them happen.

A request that was given up may still arrive; an answer may be lost, garbled, or about something else.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.vocabulary import DEFAULT_ENVIRONMENTS
from services.executor.domain.answers import Answer, Call, NoAnswer
from services.executor.domain.execution import Order
from services.executor.store.gateways import Gateway
from studio.gateway.contract import DeploymentRequest, DeploymentResource
from studio.gateway.state import Content, Created, Effect, GatewayState, apply, decide_delete, decide_put

JSON = "application/json"


@dataclass(slots=True)
class Request:
    """One request of an executor, under way until it was answered, given up and delivered or dropped."""

    number: int
    owner: str
    call: Call
    order: Order
    token: int
    sent_at: datetime
    reply: "asyncio.Future[Answer | NoAnswer]"
    honest: Answer | None = None

    @property
    def name(self) -> str:
        return f"{self.call.name} {self.order.key} token {self.token}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the gateways' log: what a request did."""

    number: int
    gateway_id: str
    call: Call
    key: str
    body: bytes
    effects: tuple[Effect, ...]
    at: datetime

    @property
    def creates(self) -> bool:
        return any(isinstance(effect, Created) for effect in self.effects)


@dataclass
class Network:
    """All gateways of an organization, and the requests on their way to them."""

    clock: Callable[[], datetime]
    gateways: dict[str, GatewayState] = field(default_factory=dict)
    under_way: list[Request] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    _sent: int = 0

    def client(self, owner: str) -> "FakeClient":
        return FakeClient(self, owner)

    def send(self, owner: str, call: Call, order: Order, token: int) -> Request:
        self._sent += 1
        reply: asyncio.Future[Answer | NoAnswer] = asyncio.get_running_loop().create_future()
        request = Request(self._sent, owner, call, order, token, self.clock(), reply)
        self.under_way.append(request)
        return request

    def deliver(self, request: Request) -> Entry:
        """Let the request take effect; its honest answer is on its way back."""
        order = request.order
        state = self.gateways.setdefault(order.gateway_id, GatewayState())
        answer, effects = _act(state, request, self.clock())
        for effect in effects:
            apply(state, effect)
        request.honest = answer
        body = order.body() if request.call is Call.PUT else b""
        entry = Entry(request.number, order.gateway_id, request.call, order.key, body, effects, self.clock())
        self.log.append(entry)
        return entry

    def answer(self, request: Request, answer: Answer | NoAnswer | None = None) -> None:
        """Let the caller have its answer, the honest one unless another is given."""
        if request.honest is not None:
            self.under_way.remove(request)
        reply = answer or request.honest
        if not request.reply.done() and reply is not None:
            request.reply.set_result(reply)

    def drop(self, request: Request) -> None:
        """Lose a request that nobody waits for any more."""
        self.under_way.remove(request)

    def hang_up(self, owner: str) -> None:
        """Have ``owner`` wait for nothing any more; what it sent stays on its way."""
        for request in self.under_way:
            if request.owner == owner and not request.reply.done():
                request.reply.cancel()


class FakeClient:
    """What an executor has instead of HTTP."""

    def __init__(self, network: Network, owner: str) -> None:
        self._network = network
        self._owner = owner
        self._asked: list[asyncio.Future[Answer | NoAnswer]] = []

    @property
    def waits(self) -> bool:
        """Tell whether any call of this client is under way."""
        self._asked = [reply for reply in self._asked if not reply.done()]
        return bool(self._asked)

    async def ask(self, call: Call, order: Order, gateway: Gateway, *, fencing_token: int) -> Answer | NoAnswer:
        if gateway.url is None:
            return NoAnswer("the gateway is not registered", sent=False)
        reply = self._network.send(self._owner, call, order, fencing_token).reply
        self._asked.append(reply)
        return await reply

    async def close(self) -> None:
        return None


def lies(honest: Answer, order: Order) -> list[Answer | NoAnswer]:
    """Give what may come back instead of an honest answer, none of which tells what happened."""
    other = honest.body.replace(order.key.encode(), b"not-this-one")
    return [
        NoAnswer("no whole answer: reset", sent=True),
        Answer(500, JSON, None, b"{}"),
        Answer(429, JSON, "2", b"{}"),
        Answer(200, JSON, None, b'\xff{"deployment_id": not json'),
        Answer(honest.status, honest.content_type, None, other) if other != honest.body else Answer(502, "", None, b""),
        Answer(302, "text/html", None, b""),
    ]


def refusal() -> Answer:
    """Give the answer of a gateway that will never take an order."""
    return Answer(422, "application/problem+json", None, b'{"code":"malformed_body","detail":"refused"}')


def _act(state: GatewayState, request: Request, at: datetime) -> tuple[Answer, tuple[Effect, ...]]:
    order = request.order
    match request.call:
        case Call.PUT:
            content: Content = DeploymentRequest.model_validate_json(order.body()).content()
            outcome, effects = decide_put(state, order.key, content, token=request.token, at=at)
            if outcome == "created":
                shown = _preview(state, effects, order.key)
                return Answer(201, JSON, None, shown), effects
            status = {"unchanged": 200, "fenced": 410, "stale_fencing_token": 409, "content_mismatch": 409}[outcome]
            if status == 200:
                return _shown(state, order.key), effects
            return _problem(status, outcome), effects
        case Call.LOOK_UP:
            if order.key in state.fenced:
                return _problem(410, "fenced"), ()
            if order.key not in state.deployments:
                return _problem(404, "unknown_key"), ()
            return _shown(state, order.key), ()
        case Call.FENCE:
            stale, effects = decide_delete(state, order.key, token=request.token, at=at)
            if stale == "fenced":
                return Answer(204, "", None, b""), effects
            return _problem(409, "stale_fencing_token"), effects


def _preview(state: GatewayState, effects: tuple[Effect, ...], key: str) -> bytes:
    created = next(effect for effect in effects if isinstance(effect, Created))
    after = GatewayState()
    apply(after, Created(key=key, content=created.content, retires=None, at=created.at))
    return _shown(after, key).body


def _shown(state: GatewayState, key: str) -> Answer:
    return Answer(200, JSON, None, DeploymentResource.of(state.deployments[key]).model_dump_json().encode())


def _problem(status: int, code: str) -> Answer:
    return Answer(status, "application/problem+json", None, json.dumps({"code": code, "detail": code}).encode())


ENVIRONMENTS = DEFAULT_ENVIRONMENTS
