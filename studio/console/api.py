"""The HTTP API as the console calls it: within the process, as the person who is signed in, with no network.

Whether somebody may see or do something is decided there alone.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.platform.http.authentication import SIGNED_IN
from services.platform.identity import Principal
from studio.problems import error_of
from studio.transport import PREFIX, Answer

Query = Mapping[str, str | int | Sequence[str] | None]


class ConsoleApi:
    """The API of ``app`` for ``principal``; ``scope`` is that of the visit that makes the calls.

    Paths are below ``/api/v1``; identifiers in them are written by ``segment``.
    """

    def __init__(self, app: ASGIApp, principal: Principal, scope: Scope) -> None:
        self._app = app
        self._principal = principal
        self._visit = scope

    async def get(self, path: str, query: Query | None = None) -> Any:
        """Give the body of a resource; raises the ApiError of ``studio.problems`` that the API answered with."""
        return (await self.call("GET", path, query=query)).body

    async def send(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Carry out a command; give the body of the answer, raise as ``get`` does."""
        return (await self.call(method, path, body=body, headers=headers)).body

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call below ``/api/v1``."""
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"content-length": str(len(content)), **(headers or {})}
        if content:
            sent["content-type"] = "application/json"
        collected = _Collected(content)
        await self._app(self._scope(method, path, query, sent), collected.receive, collected.send)
        return collected.answer()

    async def pass_on(self, path: str, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        """Let the API answer a GET by itself, straight to the browser."""
        await self._app(self._scope("GET", path, None, headers), receive, send)

    def _scope(self, method: str, path: str, query: Query | None, headers: Mapping[str, str]) -> Scope:
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        whole = PREFIX + path
        return {
            "type": "http",
            "asgi": self._visit["asgi"],
            "http_version": "1.1",
            "method": method,
            "scheme": self._visit["scheme"],
            "path": unquote(whole),
            "raw_path": whole.encode("ascii"),
            "root_path": "",
            "query_string": urlencode(given, doseq=True).encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": self._visit.get("client"),
            "server": self._visit.get("server"),
            "state": self._visit.get("state", {}),
            SIGNED_IN: self._principal,
        }


class _Collected:
    """One exchange: hands the body over once, collects the answer."""

    def __init__(self, content: bytes) -> None:
        self._messages: Iterator[Message] = iter([{"type": "http.request", "body": content, "more_body": False}])
        self._status = 500
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    async def receive(self) -> Message:
        for message in self._messages:
            return message
        # The browser that waits for the page is never told to hang up here.
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            self._body += message.get("body", b"")

    def answer(self) -> Answer:
        body = json.loads(self._body) if self._body else None
        if self._status >= 400:
            raise error_of(self._status, body if isinstance(body, dict) else {}, retry_after_seconds=None)
        return Answer(self._status, self._headers, body)


def segment(identifier: object) -> str:
    """Write an identifier as one segment of a path, whatever is in it."""
    return quote(str(identifier), safe="")
