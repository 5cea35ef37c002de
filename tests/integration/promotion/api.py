"""The promotions' router served over real HTTP, with callers by name and inventory's tables filled by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import uvicorn
from fastapi import FastAPI

from schemas.vocabulary import Role
from services.inventory import consumer as inventory_consumer
from services.platform.credentials import Credentials
from services.platform.database import Database
from services.platform.grants import Grant, Grants
from services.platform.http import problems
from services.platform.identity import KeyRing, create_key
from services.platform.schema_state import role_of
from services.platform.settings import Settings, load_settings
from services.promotion.http import router
from tests.integration.promotion.house import House, completion

PEPPER = "p" * 32
CALLERS: dict[str, tuple[str, Grants]] = {
    "rita": ("acme", Grants.of(Role.REQUESTER)),
    "ada": ("acme", Grants.of(Role.APPROVER)),
    "bob": ("acme", Grants.of(Role.APPROVER)),
    "eve": ("acme", Grants.of(Role.EXECUTOR)),
    "vic": ("acme", Grants.of(Role.VIEWER)),
    "stan": ("acme", Grants.of(Grant(Role.APPROVER, "staging"))),
    "alma": ("acme", Grants.of(Role.ADMIN)),
    "facade": ("acme", Grants.of(Role.DELEGATE)),
    "olga": ("globex", Grants.of(Role.ADMIN)),
}


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.body["errors"]]


class Api:
    def __init__(self, url: str, keys: dict[str, str], session: aiohttp.ClientSession, house: House) -> None:
        self.url = url
        self.house = house
        self._keys = keys
        self._session = session

    def key_of(self, caller: str) -> str:
        return self._keys[caller]

    async def call(
        self, method: str, path: str, caller: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self._keys[caller]}", **(headers or {})}
        async with self._session.request(method, f"{self.url}{path}", json=body, headers=sent) as response:
            document = await response.json(content_type=None)
            return Answer(response.status, document, {k.lower(): v for k, v in response.headers.items()})

    async def get(self, path: str, caller: str = "vic") -> Answer:
        return await self.call("GET", path, caller)

    async def create(self, caller: str = "rita", headers: dict[str, str] | None = None, **body: object) -> Answer:
        whole = {"agent_id": "agent-1", "source_deployment_id": "dep-1", "target_environment": "staging"} | body
        return await self.call("POST", "/api/v1/promotions", caller, whole, headers)

    async def command(
        self,
        identifier: object,
        name: str,
        caller: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        return await self.call("POST", f"/api/v1/promotions/{identifier}/{name}", caller, body, headers)


async def announce(house: House, deployment: str, **changes: object) -> None:
    """Let inventory know a deployment, by its own door; of one slot the one deployed last is active."""
    values: dict[str, Any] = {
        "gateway_id": "gw-development",
        "deployment_id": deployment,
        "agent_id": "agent-1",
        "environment": "development",
        "promotion_id": None,
    } | changes
    event = completion(uuid4(), source="/ci/acme", **values)
    inventory = Database(
        house.dsn, role=role_of("inventory"), application_name="test inventory", pool_size=1, every_organization=True
    )
    async with inventory.begin() as connection:
        await inventory_consumer.apply(connection, [event], house.now)
    await inventory.close()


async def register(house: House, gateway: str, environment: str, *, default: bool = False) -> None:
    """Put a gateway into inventory."""
    await house.as_owner(
        "INSERT INTO inventory.gateway (organization_id, gateway_id, name, environment, url, is_default, "
        "max_concurrency, created_at, created_by, updated_at, updated_by) VALUES ('acme', :gateway, :gateway, "
        ":environment, 'http://127.0.0.1:1', :default, 1, now(), 'alma', now(), 'alma')",
        gateway=gateway,
        environment=environment,
        default=default,
    )


@contextlib.asynccontextmanager
async def serve(house: House) -> AsyncIterator[Api]:
    platform = Database(
        house.dsn, role=role_of("platform"), application_name="test keys", pool_size=2, every_organization=True
    )
    settings = _settings(house.dsn)
    app = FastAPI()
    app.state.credentials = Credentials(KeyRing(platform, PEPPER, house.clock))
    problems.install(app)
    routes = router(database=house.database, outbox=house.outbox, clock=house.clock, settings=settings)
    app.include_router(routes, prefix="/api/v1")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession() as session:
        yield Api(f"http://127.0.0.1:{port}", await _keys(platform, house), session, house)
    server.should_exit = True
    await task
    await platform.close()


def _settings(dsn: str) -> Settings:
    return load_settings(
        {
            "DATABASE_URL": dsn,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PROMOTION_KEY_PEPPER": PEPPER,
        }
    )


async def _keys(platform: Database, house: House) -> dict[str, str]:
    async with platform.begin() as connection:
        return {
            name: await create_key(
                connection,
                organization_id=organization,
                subject=name,
                grants=grants,
                pepper=PEPPER,
                now=house.now,
            )
            for name, (organization, grants) in CALLERS.items()
        }


def identifier_of(answer: Answer) -> UUID:
    return UUID(answer.body["id"])
