"""An open stream ends when whoever reads it would not be let in any more."""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message

from schemas.vocabulary import Role
from services.ingress import stream
from services.platform.clock import utc_now
from services.platform.credentials import Credentials
from services.platform.database import DatabaseUnavailable
from services.platform.grants import Grants
from services.platform.http.authentication import SIGNED_IN
from services.platform.identity import KeyRing, Principal
from services.platform.jwks import KeysUnavailable
from tests.unit.ingress.test_stream import OneFeed, Reader

WATCHER = Principal("acme", "walter", Grants.of(Role.VIEWER), "key-1")
DELEGATE = Principal("acme", "facade", Grants.of(Role.DELEGATE), "key-2")
Known = Callable[[], Principal | None]


class Keys(KeyRing):
    """Knows one key, for whom ``known`` says by now."""

    def __init__(self, known: Known) -> None:
        super().__init__(None, "p" * 32, utc_now)  # type: ignore[arg-type]
        self.known = known
        self.asked = 0

    async def verify(self, key: str) -> Principal | None:
        self.asked += 1
        return self.known() if key == "the-key" else None


class Watching:
    """One reader of one application with a key ring that can be told something else."""

    def __init__(self, known: Principal, *, signed_in: bool = False, headers: dict[str, str] | None = None) -> None:
        self.keys = Keys(lambda: known)
        self.reader = Reader()
        self.app = FastAPI()
        self.app.state.credentials = Credentials(self.keys)
        feeds: Any = OneFeed()
        self.app.include_router(stream.router(feeds, heartbeat_seconds=0.001))
        sent = {"authorization": "Bearer the-key", **(headers or {})}
        self.scope: MutableMapping[str, Any] = {
            "type": "http", "method": "GET", "path": "/stream", "query_string": b"", "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }  # fmt: skip
        if signed_in:
            self.scope[SIGNED_IN] = known

    async def open(self) -> None:
        self.running = asyncio.create_task(self.app(self.scope, self._receive, self.reader.send))
        await self.until(lambda: b"id: 0" in self.reader.text)

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not seen():
                await asyncio.sleep(0.001)

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await self.running

    async def _receive(self) -> Message:
        return await self.reader.receive()


def unavailable(error: Exception) -> Known:
    def known() -> Principal | None:
        raise error

    return known


@pytest.mark.parametrize(
    "by_now",
    [
        pytest.param(lambda: None, id="key revoked"),
        pytest.param(lambda: Principal("acme", "walter", Grants.of(Role.PUBLISHER), "key-1"), id="role taken away"),
        pytest.param(lambda: Principal("globex", "walter", Grants.of(Role.VIEWER), "key-1"), id="another organization"),
        pytest.param(unavailable(KeysUnavailable("the issuer is away")), id="issuer away"),
    ],
)
async def test_whoever_would_not_be_let_in_any_more_is_let_go(by_now: Known) -> None:
    watching = Watching(WATCHER)
    await watching.open()

    watching.keys.known = by_now
    await watching.ended()

    assert watching.reader.sent[-1]["more_body"] is False


async def test_whoever_may_still_look_stays_also_while_the_database_is_away() -> None:
    watching = Watching(WATCHER)
    await watching.open()

    watching.keys.known = unavailable(DatabaseUnavailable("away"))
    asked = watching.keys.asked
    await watching.until(lambda: watching.keys.asked > asked + 3)

    assert not watching.running.done()
    watching.reader.gone.set()
    await watching.ended()


async def test_a_delegate_stays_a_delegate_or_goes() -> None:
    watching = Watching(DELEGATE, headers={"on-behalf-of": "alice"})
    await watching.open()
    asked = watching.keys.asked
    await watching.until(lambda: watching.keys.asked > asked + 3)

    watching.keys.known = lambda: Principal("acme", "facade", Grants.of(Role.VIEWER), "key-2")

    await watching.ended()


async def test_a_session_of_the_console_is_asked_for_anew_by_whoever_comes_back() -> None:
    watching = Watching(WATCHER, signed_in=True)
    await watching.open()

    await watching.ended()

    assert watching.keys.asked == 0
