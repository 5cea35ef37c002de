"""One HTTP call of the API: credential, JSON in and out, problem documents as exceptions; knows no resource."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from studio.problems import Unconfigured, Unreachable, error_of

TIMEOUT_SECONDS = 30.0
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its status, headers and body, parsed; None where it has none."""

    status: int
    headers: Mapping[str, str]
    body: Any


def if_match(version: int | str | None) -> dict[str, str]:
    """Give the header under which a call changes only ``version``, and none for None.

    What a form says instead of a number is no version of anything: refused, and never as if none were asked for.
    """
    if version is None:
        return {}
    written = str(version)
    return {"If-Match": f'"{written if written.isascii() and written.isdecimal() else 0}"'}


class Transport:
    """Calls the API at ``url``. Inside ``async with`` calls share connections; without, each opens its own."""

    def __init__(self, url: str, api_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise Unconfigured(f"{url!r} is not the address of an API; give one like http://127.0.0.1:8080")
        self._base = url.rstrip("/").removesuffix(PREFIX)
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """Call ``path`` below the API's prefix, or as it is where it begins with the prefix or is not of the API.

        Raises the ApiError of the answer's status, or Unreachable.
        """
        async with self.open(
            method, path, body=body, query=query, headers=headers, timeout_seconds=timeout_seconds
        ) as response:
            raw = await response.read()
            return Answer(response.status, response.headers, json.loads(raw) if raw else None)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str | int | None] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make the call and give the answer unread; for streams. Raises as ``call`` does."""
        session = self._session or self._open()
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        sent = None if body is None else json.dumps(body, allow_nan=False).encode()
        kind = {} if sent is None else {"Content-Type": "application/json"}
        try:
            async with session.request(
                method,
                URL(self._base + path, encoded=True).update_query(given),
                data=sent,
                headers={**self._headers, **kind, **(headers or {})},
                timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=5.0),
                allow_redirects=False,
            ) as response:
                await _raise_for(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
            raise Unreachable(f"the API at {self._base} did not answer {method} {path}: {said}") from error
        finally:
            if session is not self._session:
                await session.close()

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession()


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    if 200 <= response.status < 300:
        return
    raw = await response.read()
    try:
        problem = json.loads(raw)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"title": response.reason, "detail": f"the server answered {response.status} {response.reason}"}
    raise error_of(response.status, problem, retry_after_seconds=_seconds(response.headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
