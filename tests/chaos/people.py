"""People and programs at the HTTP door: they repeat a call until its answer is clear, and note every answer."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

_CALL_SECONDS = 12.0
_PAUSE_SECONDS = 0.3
# Nobody waits longer for a clear answer; what was not answered by then is stuck.
PATIENCE_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one attempt was answered; no status where it was not, so that nobody knows what became of it."""

    plan: int
    actor: str
    command: str
    status: int | None
    body: Any
    at: float

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def promotion_id(self) -> str | None:
        return str(self.body["id"]) if self.accepted and isinstance(self.body, dict) and "id" in self.body else None


class NoClearAnswer(Exception):
    """A call had no clear answer within anybody's patience."""


class People:
    """The identities of a local stack; ``told`` is what their clients saw."""

    def __init__(self, api: str, tokens: Mapping[str, str]) -> None:
        self._api = f"{api}/api/v1"
        self._tokens = tokens
        self._session: aiohttp.ClientSession | None = None
        self.told: list[Told] = []

    async def __aenter__(self) -> "People":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def call(
        self,
        actor: str,
        path: str,
        body: object,
        *,
        plan: int,
        command: str,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """Repeat a call until it is answered with something else than "later"; raises NoClearAnswer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, answer = await self._attempt(actor, method, path, body, headers or {})
            told = Told(plan, actor, command, status, answer, time.time())
            self.told.append(told)
            if status is not None and status not in {408, 429, 503} and status < 500:
                return told
            if time.monotonic() > deadline:
                raise NoClearAnswer(f"{method} {path} by {actor}: at last {status} {answer}")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _attempt(
        self, actor: str, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int | None, Any]:
        assert self._session is not None
        identity = {"Authorization": f"Bearer {self._tokens[actor]}"}
        try:
            async with self._session.request(
                method, self._api + path, json=body, headers={**identity, **headers}
            ) as response:
                parsed = await response.json(content_type=None)
                return response.status, parsed
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"
