"""Calls the rules service's routes in process, as any ASGI server would."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from schemas.vocabulary import Role
from services.platform.grants import Grant, Grants
from services.platform.http import problems
from services.platform.http.authentication import SIGNED_IN
from services.platform.identity import Principal
from services.platform.messaging.outbox import Outbox
from services.platform.settings import load_settings
from services.rules.http import router
from tests.integration.rules.conftest import World

ADMIN = Principal("acme", "ada", Grants.of(Role.ADMIN), "key-1")
OUTSIDER = Principal("globex", "otto", Grants.of(Role.ADMIN), "key-2")
STAGING_ADMIN = Principal("acme", "sue", Grants.of(Grant(Role.RULE_ADMIN, "staging")), "key-4")
VIEWER = Principal("acme", "vic", Grants.of(Role.VIEWER), "key-3")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


_CALLERS = {"admin": ADMIN, "outsider": OUTSIDER, "viewer": VIEWER, "staging-admin": STAGING_ADMIN}


class Client:
    """Sends requests to the routes; paths begin at the resource."""

    def __init__(self, world: World) -> None:
        self._app = FastAPI()
        problems.install(self._app)
        settings = load_settings(
            {
                "DATABASE_URL": "postgresql://nowhere",
                "KAFKA_BOOTSTRAP_SERVERS": "nowhere:9092",
                "PROMOTION_KEY_PEPPER": "0" * 32,
            }
        )
        self._app.include_router(
            router(
                database=world.database,
                outbox=Outbox("rules"),
                clock=lambda: world.now,
                settings=settings,
            )
        )

    async def call(self, method: str, path: str, body: Any = None, *, key: str = "admin", **headers: str) -> Answer:
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        parts = urlsplit(path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "server": ("test", 80),
            "client": ("test", 1),
            SIGNED_IN: _CALLERS[key],
        }
        messages = [{"type": "http.request", "body": raw, "more_body": False}]
        answered: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            answered.append(message)

        await self._app(scope, receive, send)
        start = answered[0]
        text = b"".join(message.get("body", b"") for message in answered[1:]).decode()
        return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, text)
