"""A stand-in for the API under the console's pages: answers what it is given, notes what it is asked."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from schemas.vocabulary import Role
from services.platform.grants import Grants
from services.platform.identity import Principal
from studio.console.app import console_router
from studio.console.visits import signed_in
from tests.unit.console.examples import NOW

APPROVER = Principal("acme", "alice", Grants.of(Role.APPROVER, Role.REQUESTER, Role.RULE_ADMIN), "key-1")


class _Keys:
    database = None

    @staticmethod
    def clock() -> Any:
        return NOW


@dataclass(frozen=True)
class Shown:
    """What a browser would get."""

    status: int
    headers: dict[str, list[str]]
    text: str


class StandIn:
    """``answers`` maps a path below /api/v1 to its body, or to (status, body)."""

    def __init__(self, answers: dict[str, Any], principal: Principal = APPROVER) -> None:
        self.answers: dict[str, Any] = {
            "/environments": {"names": ["development", "staging", "production"]},
            "/promotions": {"items": [], "next_cursor": None},
            "/board": {"items": [], "next_cursor": None},
            **answers,
        }
        self.asked: list[tuple[str, str, Any]] = []
        self.if_match: list[str] = []
        self.app = FastAPI(docs_url=None, openapi_url=None)
        self.app.state.key_ring = _Keys()
        self.app.state.sign_in = None
        self.app.dependency_overrides[signed_in] = lambda: principal
        self.app.add_api_route("/api/v1/{path:path}", self._answer, methods=["GET", "POST", "PUT", "DELETE"])
        self.app.include_router(console_router())

    async def open(
        self, path: str, *, method: str = "GET", form: str | None = None, headers: dict[str, str] | None = None
    ) -> Shown:
        """Ask for a page as a browser on this very origin does."""
        sent = {"host": "console.example", "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        plain, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": plain, "raw_path": plain.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()], "client": ("127.0.0.1", 1),
            "server": ("console.example", 80),
        }  # fmt: skip
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": (form or "").encode(), "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        got: dict[str, list[str]] = {}
        for name, value in messages[0]["headers"]:
            got.setdefault(name.decode(), []).append(value.decode())
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return Shown(messages[0]["status"], got, body.decode())

    async def _answer(self, path: str, request: Request) -> JSONResponse:
        body = await request.json() if await request.body() else None
        self.asked.append((request.method, f"/{path}", body))
        self.if_match += request.headers.getlist("if-match")
        answer = self.answers.get(f"/{path}", (404, {"type": "not_found", "detail": f"there is no {path}"}))
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        if callable(content):
            content = content(request)
        return JSONResponse(content, status)
