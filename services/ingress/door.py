"""The outermost layer of HTTP: every request gets an id, limits and an answer in time, whatever lies behind.

Plain ASGI. A request that is not answered in time is answered here and left behind; it may still commit.
"""

import asyncio
import contextlib
import time
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platform.credentials import CALLBACK
from services.platform.http.preferences import wait_seconds
from services.platform.http.problems import Problem, from_failure, unavailable
from services.platform.telemetry import HTTP_SECONDS

# A server that hangs is answered for before callers give up; a wait that was asked for comes on top.
ANSWER_SECONDS = 1.8
# Whose caller has been answered for may end its statement, which has its own time limit, before it is cut off.
LINGER_SECONDS = 2.0
# Signing in asks the issuer meanwhile, which is none of ours.
ISSUER_SECONDS = 8.0
_ASKS_ISSUER = frozenset({"/sign-in", "/sign-in/issuer", CALLBACK})
MAX_BODY_BYTES = 65_536
# Whatever else is sent as a method is one of the metrics' labels, not as many.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
MAX_HEADER_BYTES = 32_768
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
)
# Said where a browser came by TLS, which is all that it believes it of.
_HEADERS_OVER_TLS = (*_HEADERS, (b"strict-transport-security", b"max-age=31536000"))

_log = structlog.get_logger()


class Door:
    """Wraps an ASGI application."""

    def __init__(self, app: ASGIApp, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._app = app
        self._answer_seconds = answer_seconds
        # Requests that were answered for, whose work has not ended yet.
        self._abandoned: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        refusal = _refusal(scope)
        if refusal is not None:
            await exchange.answer(refusal)
            return
        task = asyncio.create_task(self._serve(exchange))
        try:
            await asyncio.wait({task}, timeout=self._answer_seconds + _wait_seconds(scope))
            if task.done() or exchange.started:
                await task
                return
            exchange.abandoned = True
            self._leave(task)
            await exchange.answer(_too_late(exchange))
        finally:
            if not (task.done() or exchange.abandoned):
                task.cancel()
                self._keep(task)

    async def _serve(self, exchange: "_Exchange") -> None:
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._app(exchange.scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return
        except Problem as problem:
            await self._fail(exchange, problem)
        except Exception as error:  # noqa: BLE001 - the last one who can answer
            await self._fail(exchange, from_failure(error))

    async def _fail(self, exchange: "_Exchange", problem: Problem) -> None:
        if not exchange.started and not exchange.abandoned:
            await exchange.answer(problem)

    def _leave(self, task: asyncio.Task[None]) -> None:
        # A statement that is cut off costs its connection, and a new one costs more than most statements: where all are
        # slow, cutting them off would keep them slow.
        asyncio.get_running_loop().call_later(LINGER_SECONDS, task.cancel)
        self._keep(task)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


class _Exchange:
    """One request and what was sent for it so far."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = uuid4().hex
        self._began = time.perf_counter()
        self.is_head = scope["method"] == "HEAD"
        # Whoever answers GET answers HEAD; the body stays here.
        self.scope: Scope = {**scope, "method": "GET"} if self.is_head else scope
        self.started = False
        self.abandoned = False
        self.has_body = False
        self._ended = False
        self._received_bytes = 0
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received_bytes += len(message.get("body", b""))
            if self._received_bytes > MAX_BODY_BYTES:
                raise _body_too_large()
            self.has_body = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self.abandoned:
            await self._pass(message)

    async def answer(self, problem: Problem) -> None:
        structlog.contextvars.bind_contextvars(request_id=self.request_id)
        _log.info("request refused", path=self.scope["path"][:200], status=problem.status, code=problem.code)
        await problem.response()(self.scope, self._receive, self._pass)

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            method = self.scope["method"]
            HTTP_SECONDS.labels(method if method in METHODS else "other", message["status"]).observe(
                time.perf_counter() - self._began
            )
            given = {name.lower() for name, _ in message["headers"]}
            own = [(b"x-request-id", self.request_id.encode())]
            fixed = _HEADERS_OVER_TLS if self.scope.get("scheme") == "https" else _HEADERS
            own += [header for header in fixed if header[0] not in given]
            message = {**message, "headers": [*message["headers"], *own]}
        elif self.is_head:
            if self._ended:
                return
            self._ended = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        with contextlib.suppress(OSError):
            await self._send(message)


def _refusal(scope: Scope) -> Problem | None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        return Problem(431, "headers_too_large", f"the headers are larger than {MAX_HEADER_BYTES} bytes; send less")
    announced = _header(scope, b"content-length")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > MAX_BODY_BYTES):
        return _body_too_large()
    return None


def _wait_seconds(scope: Scope) -> float:
    if scope["method"] != "POST":
        return ISSUER_SECONDS if scope["path"] in _ASKS_ISSUER else 0.0
    return float(wait_seconds(_header(scope, b"prefer").decode("latin-1")))


def _body_too_large() -> Problem:
    return Problem(413, "body_too_large", f"the body is larger than {MAX_BODY_BYTES} bytes; send less at once")


def _too_late(exchange: _Exchange) -> Problem:
    expects_body = _header(exchange.scope, b"content-length") not in {b"", b"0"} or bool(
        _header(exchange.scope, b"transfer-encoding")
    )
    if expects_body and not exchange.has_body:
        return Problem(408, "body_too_slow", "the body did not arrive in time; send the request again")
    return unavailable("no answer in time; look whether it was done before you send it again")


def _header(scope: Scope, wanted: bytes) -> bytes:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return b""
