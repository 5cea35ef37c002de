"""Who may call what: every route of the application is in this matrix, and does what it says for every role.

The application is the real one over a database that is away: whoever is let through gets as far as a 503 or a 422.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from schemas.vocabulary import Role
from services.ingress.app import build_app
from services.ingress.server import Ingress
from services.platform.credentials import Credentials
from services.platform.grants import Grants
from services.platform.identity import KeyRing, Principal
from services.platform.settings import load_settings

READERS = frozenset(Role) - {Role.PUBLISHER}
REQUESTERS = frozenset({Role.REQUESTER, Role.ADMIN, Role.DELEGATE})
# A delegate votes only for a person that it names.
APPROVERS = frozenset({Role.APPROVER, Role.ADMIN})
# Whoever asked for a promotion may start it as well.
EXECUTORS = REQUESTERS | {Role.EXECUTOR}
RULE_ADMINS = frozenset({Role.RULE_ADMIN, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
# Of the letters they see different ones.
CARETAKERS = frozenset({Role.ADMIN, Role.OPERATOR})
PUBLISHERS = frozenset({Role.PUBLISHER, Role.ADMIN})
ANYONE = None

Place = tuple[str, str]
MATRIX: dict[Place, frozenset[Role] | None] = {
    ("GET", "/healthz"): ANYONE,
    ("GET", "/readyz"): ANYONE,
    ("GET", "/metrics"): ANYONE,
    ("GET", "/docs"): ANYONE,
    ("GET", "/asyncapi"): ANYONE,
    ("GET", "/openapi.json"): ANYONE,
    ("GET", "/api/v1/deployments"): READERS,
    ("GET", "/api/v1/deployments/{deployment_id}"): READERS,
    ("GET", "/api/v1/deployments/{deployment_id}/explain"): READERS,
    ("GET", "/api/v1/gateways"): READERS,
    ("POST", "/api/v1/gateways"): ADMINS,
    ("GET", "/api/v1/gateways/{gateway_id}"): READERS,
    ("PUT", "/api/v1/gateways/{gateway_id}"): ADMINS,
    ("DELETE", "/api/v1/gateways/{gateway_id}"): ADMINS,
    ("GET", "/api/v1/environments"): READERS,
    ("PUT", "/api/v1/environments"): ADMINS,
    ("POST", "/api/v1/events"): PUBLISHERS,
    ("GET", "/api/v1/deployments/{deployment_id}/facts"): READERS,
    ("GET", "/api/v1/stream"): READERS,
    ("GET", "/api/v1/services"): READERS,
    ("GET", "/api/v1/promotions/{promotion_id}/explain"): READERS,
    ("GET", "/api/v1/promotions/rules/{rule_id}/versions"): READERS,
    ("POST", "/api/v1/promotions/rules/check"): READERS,
    ("POST", "/api/v1/promotions/rules/backtest"): READERS,
    ("GET", "/api/v1/board"): READERS,
    ("GET", "/api/v1/statistics"): READERS,
    ("GET", "/api/v1/audit"): READERS,
    ("GET", "/api/v1/audit/head"): READERS,
    ("GET", "/api/v1/audit/verify"): READERS,
    ("GET", "/api/v1/dead-letters"): CARETAKERS,
    ("POST", "/api/v1/dead-letters/replay"): CARETAKERS,
    ("GET", "/api/v1/dead-letters/{letter_id}"): CARETAKERS,
    ("POST", "/api/v1/dead-letters/{letter_id}/replay"): CARETAKERS,
    ("POST", "/api/v1/dead-letters/{letter_id}/discard"): CARETAKERS,
    ("GET", "/api/v1/fact-publishers"): READERS,
    ("PUT", "/api/v1/fact-publishers"): ADMINS,
    ("GET", "/api/v1/webhooks"): ADMINS,
    ("POST", "/api/v1/webhooks"): ADMINS,
    ("GET", "/api/v1/webhooks/{webhook_id}"): ADMINS,
    ("PUT", "/api/v1/webhooks/{webhook_id}"): ADMINS,
    ("DELETE", "/api/v1/webhooks/{webhook_id}"): ADMINS,
    ("POST", "/api/v1/webhooks/{webhook_id}/rotate-secret"): ADMINS,
    ("POST", "/api/v1/webhooks/{webhook_id}/test"): ADMINS,
    ("GET", "/api/v1/webhooks/{webhook_id}/deliveries"): ADMINS,
    ("GET", "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}"): ADMINS,
    ("POST", "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"): ADMINS,
    ("GET", "/api/v1/promotions/rules"): READERS,
    ("POST", "/api/v1/promotions/rules"): RULE_ADMINS,
    ("GET", "/api/v1/promotions/rules/{rule_id}"): READERS,
    ("PUT", "/api/v1/promotions/rules/{rule_id}"): RULE_ADMINS,
    ("DELETE", "/api/v1/promotions/rules/{rule_id}"): RULE_ADMINS,
    ("GET", "/api/v1/promotions"): READERS,
    ("POST", "/api/v1/promotions"): REQUESTERS,
    ("GET", "/api/v1/promotions/{promotion_id}"): READERS,
    ("GET", "/api/v1/promotions/{promotion_id}/history"): READERS,
    ("POST", "/api/v1/promotions/{promotion_id}/approve"): APPROVERS,
    ("POST", "/api/v1/promotions/{promotion_id}/break-glass"): ADMINS,
    ("POST", "/api/v1/promotions/{promotion_id}/reject"): APPROVERS,
    ("POST", "/api/v1/promotions/{promotion_id}/cancel"): REQUESTERS,
    ("POST", "/api/v1/promotions/{promotion_id}/execute"): EXECUTORS,
}
# The console's pages: for sessions of its own, to which an API key is nothing.
PAGES = {
    ("GET", "/"), ("GET", "/agents/{agent_id}"), ("GET", "/audit"), ("GET", "/charts"), ("GET", "/console/changes"),
    ("GET", "/dead-letters"), ("GET", "/dead-letters/{letter_id}"), ("GET", "/health"), ("GET", "/inbox"),
    ("GET", "/promotions"),
    ("GET", "/promotions/{promotion_id}"), ("GET", "/rules"), ("GET", "/rules/new"), ("GET", "/rules/{rule_id}"),
    ("POST", "/agents/{agent_id}/promote"), ("POST", "/dead-letters/{letter_id}/{command}"),
    ("POST", "/inbox/{decision}"), ("POST", "/promotions/{promotion_id}/{command}"), ("POST", "/rules/check"),
    ("POST", "/rules/replay"), ("POST", "/rules/save"), ("POST", "/rules/{rule_id}/delete"), ("POST", "/sign-out"),
    ("GET", "/webhooks"), ("GET", "/webhooks/new"), ("GET", "/webhooks/{webhook_id}"), ("POST", "/webhooks/save"),
    ("POST", "/webhooks/{webhook_id}/{command}"), ("POST", "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"),
    # From another site, as these calls are, nobody signs in.
    ("POST", "/sign-in"),
}  # fmt: skip
# Open to everybody: how one gets in, and files that hold nothing of anybody.
DOORSTEP = {
    ("GET", "/sign-in"), ("GET", "/sign-in/issuer"), ("GET", "/sign-in/callback"), ("GET", "/console/{name}"),
    ("GET", "/docs/{operation_id}"),
}  # fmt: skip
_IDENTIFIER = "00000000-0000-4000-8000-000000000001"


class Keys(KeyRing):
    """Knows one key for each role, named after it."""

    async def verify(self, key: str) -> Principal | None:
        return Principal("acme", f"the-{key}", Grants.of(Role(key)), key) if key in set(Role) else None


def _application() -> tuple[FastAPI, Ingress]:
    settings = load_settings(
        {
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PROMOTION_KEY_PEPPER": "p" * 32,
            "PROMOTION_HTTP_PORT": "0",
        }
    )
    app = build_app(settings)
    ring = app.state.key_ring
    app.state.credentials = Credentials(Keys(ring.database, ring.pepper, ring.clock))
    return app, Ingress(app, settings)


def routes(app: FastAPI) -> set[Place]:
    found: set[Place] = set()
    for route in iter_route_contexts(app.routes):
        assert route.path is not None, f"{route} is reachable under no path that could be checked"
        path = re.sub(r":\w+\}", "}", route.path)
        found |= {(method, path) for method in route.methods or {"ANY"}}
    return found


def test_every_route_is_in_the_matrix_and_nothing_else() -> None:
    app, _ = _application()

    assert routes(app) == set(MATRIX) | PAGES | DOORSTEP


@pytest.fixture
async def url() -> AsyncIterator[str]:
    _, ingress = _application()
    stopping = asyncio.Event()
    running = asyncio.create_task(ingress.run(stopping))
    while ingress.port is None:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{ingress.port}"
    stopping.set()
    await running


async def _status(session: aiohttp.ClientSession, url: str, place: Place, key: str | None) -> int:
    method, path = place
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body: Any = {"reason": "because"} if method in {"POST", "PUT"} else None
    address = url + re.sub(r"\{\w+\}", _IDENTIFIER, path)
    async with session.request(method, address, json=body, headers=headers, allow_redirects=False) as answer:
        return answer.status


async def test_every_role_may_do_exactly_what_the_matrix_says(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        wrong = [
            (place, str(role), status)
            for place, allowed in MATRIX.items()
            for role in Role
            if ((status := await _status(session, url, place, role)) != 403) != (allowed is None or role in allowed)
        ]

    assert wrong == []


async def test_a_page_of_the_console_shows_and_does_nothing_without_a_session(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        wrong = [
            (place, key, status)
            for place in sorted(PAGES)
            for key in (None, "admin")
            if (status := await _status(session, url, place, key)) not in {303, 403}
        ]

    assert wrong == []


async def test_nobody_unknown_gets_past_the_open_pages(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        wrong = [
            (place, key, status)
            for place, allowed in MATRIX.items()
            for key in (None, "stranger")
            if ((status := await _status(session, url, place, key)) == 401) != (allowed is not None)
        ]

    assert wrong == []
