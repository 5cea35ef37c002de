"""The outermost layer answers for whatever lies behind it."""

import asyncio

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingress import door
from services.ingress.door import Door
from services.platform.database import DatabaseUnavailable


class Call:
    """One request as a server would make it, and what was sent for it."""

    def __init__(self, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = b"") -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        self.scope: Scope = {"type": "http", "method": method, "path": "/", "headers": raw}
        self.sent: list[Message] = []
        self._body = body

    async def to(self, app: ASGIApp, *, answer_seconds: float = 5.0) -> "Call":
        await Door(app, answer_seconds=answer_seconds)(self.scope, self._receive, self._send)
        return self

    @property
    def status(self) -> int:
        starts = [message for message in self.sent if message["type"] == "http.response.start"]
        assert len(starts) == 1
        return int(starts[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent if message["type"] == "http.response.body")

    async def _receive(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": self._body or b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["method"].encode()})


def raising(error: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.Event().wait()


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    """Hang even while it is cancelled, as a driver whose server is gone does."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    ("error", "status"),
    [(DatabaseUnavailable("gone"), 503), (OSError("refused"), 503), (ValueError("a secret"), 500)],
)
async def test_what_nobody_caught_is_answered_without_its_details(error: Exception, status: int) -> None:
    call = await Call().to(raising(error))

    assert call.status == status
    assert str(error).encode() not in call.body


@pytest.mark.parametrize("app", [hanging, deaf])
async def test_what_hangs_is_answered_for_once(app: ASGIApp) -> None:
    call = await Call().to(app, answer_seconds=0.02)
    await asyncio.sleep(0.3)

    assert call.status == 503


async def test_what_was_answered_for_may_end_what_it_does() -> None:
    going, ended = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await going.wait()
        ended.set()

    call = await Call().to(slow, answer_seconds=0.01)
    going.set()

    await asyncio.wait_for(ended.wait(), 1)
    assert call.status == 503


async def test_what_never_ends_is_cut_off_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LINGER_SECONDS", 0.01)
    cut = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    call = await Call().to(endless, answer_seconds=0.01)

    await asyncio.wait_for(cut.wait(), 1)
    assert call.status == 503


async def test_who_does_not_send_the_body_is_told_so() -> None:
    call = await Call("POST", {"Content-Length": "5"}, body=None).to(hanging, answer_seconds=0.02)

    assert call.status == 408


async def test_who_asked_to_wait_is_waited_for() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.1)
        await hello(scope, receive, send)

    patient = await Call("POST", {"Prefer": "respond-async, wait=1"}).to(slow, answer_seconds=0.02)
    reading = await Call("GET", {"Prefer": "wait=1"}).to(slow, answer_seconds=0.02)

    assert (patient.status, reading.status) == (200, 503)


async def test_what_has_begun_to_answer_may_go_on() -> None:
    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"done"})

    call = await Call().to(long, answer_seconds=0.02)

    assert (call.status, call.body) == (200, b"done")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": "65537"}, 413),
        ({"Content-Length": "9" * 5000}, 413),
        ({"X": "x" * 40_000}, 431),
        ({"Content-Length": "65536"}, 200),
    ],
)
async def test_what_announces_too_much_is_refused_unread(headers: dict[str, str], status: int) -> None:
    assert (await Call(headers=headers).to(hello)).status == status


async def test_a_head_reaches_what_answers_get_and_comes_back_empty() -> None:
    call = await Call("HEAD").to(hello)

    assert (call.status, call.body) == (200, b"")


async def test_a_cancelled_request_takes_its_work_with_it() -> None:
    ended: list[str] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("yes")

    request = asyncio.create_task(Call().to(noting))
    await asyncio.sleep(0.01)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await asyncio.sleep(0)

    assert ended == ["yes"]
