"""The ingress on a real database, served over real HTTP, without any Kafka: what it must be able to do alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import pytest

from schemas.vocabulary import Role
from services.ingress.app import build_service
from services.ingress.door import ANSWER_SECONDS
from services.ingress.server import Ingress
from services.platform.clock import utc_now
from services.platform.database import Database
from services.platform.grants import Grants
from services.platform.identity import create_key
from services.platform.settings import Settings, load_settings

PEPPER = "p" * 32


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: Any

    @property
    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body["items"]
        return found


@dataclass
class Door:
    """A running ingress and callers of it by name."""

    url: str
    database_url: str
    ingress: Ingress
    session: aiohttp.ClientSession
    platform: Database
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    async def key(self, role: str = "admin", organization: str = "acme", subject: str | None = None) -> str:
        place = (organization, f"{role} {subject}")
        if place not in self.keys:
            async with self.platform.begin() as connection:
                self.keys[place] = await create_key(
                    connection,
                    organization_id=organization,
                    subject=subject or f"{role}-of-{organization}",
                    grants=Grants.of(Role(role)),
                    pepper=PEPPER,
                    now=datetime(2026, 1, 1, tzinfo=UTC),
                )
        return self.keys[place]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str | None = "admin",
        organization: str = "acme",
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {await self.key(role, organization)}"
        async with self.session.request(
            method, self.url + path, json=body, data=data, headers=sent, allow_redirects=False
        ) as answer:
            content: Any = await answer.read()
            if "json" in answer.content_type and content:
                content = await answer.json(content_type=None)
            return Answer(answer.status, answer.headers, content)

    async def execute(self, statement: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.database_url, server_settings={"app.organizations": "*"})
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()


@pytest.fixture
def settings(database: str) -> Settings:
    return settings_on(database)


def settings_on(database: str) -> Settings:
    """Settings of an ingress on ``database``, without any Kafka."""
    return load_settings(
        {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PROMOTION_KEY_PEPPER": PEPPER,
            "PROMOTION_HTTP_PORT": "0",
            "PROMOTION_CREDENTIAL_KEYS": "a" * 43,
            "PROMOTION_GATEWAY_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
    )


@pytest.fixture
async def door(settings: Settings, database: str) -> AsyncIterator[Door]:
    """An ingress that takes its time, so that a busy machine is no outage."""
    async with serving(settings, database, answer_seconds=10) as served:
        yield served


@pytest.fixture
async def prompt_door(settings: Settings, database: str) -> AsyncIterator[Door]:
    """An ingress as it is in earnest."""
    async with serving(settings, database, answer_seconds=ANSWER_SECONDS) as served:
        yield served


@asynccontextmanager
async def serving(settings: Settings, database: str, *, answer_seconds: float) -> AsyncIterator[Door]:
    ingress = build_service(settings, utc_now, answer_seconds=answer_seconds)
    stopping = asyncio.Event()
    running = asyncio.create_task(ingress.run(stopping))
    async with asyncio.timeout(30):
        while not (await ingress.readiness()).ready:
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)
    platform = Database(database, role="promotion_platform", application_name="test", every_organization=True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Door(f"http://127.0.0.1:{ingress.port}", database, ingress, session, platform)
    await platform.close()
    stopping.set()
    async with asyncio.timeout(10):
        await running
