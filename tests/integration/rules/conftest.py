"""A rules service with its handlers on a real database, a clock that is moved by hand, and a world that tests make."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert, text, update
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateTable

from schemas import topics, views
from schemas.cloudevents import decode
from schemas.events import (
    DeploymentCompleted,
    Event,
    EventData,
    MetricsObserved,
    PromotionRequested,
    RulesEvaluated,
    TestsCompleted,
    event_source,
)
from schemas.resources import RuleWrite
from schemas.vocabulary import DeploymentOutcome
from services.platform.database import Database, driver_url
from services.platform.messaging.outbox import Outbox, load_headers
from services.rules.domain.rule import Rule
from services.rules.handlers.confirm import Confirmation
from services.rules.handlers.early import EarlyEvents
from services.rules.handlers.intake import Intake
from services.rules.handlers.recheck import Lookout
from services.rules.handlers.requests import RequestDesk
from services.rules.handlers.rules import create_rule
from services.rules.handlers.trigger import Trigger
from services.rules.store.rule_books import RuleBooks

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOLD_SECONDS = 300.0


def _views_as_tables(connection: Connection) -> None:
    for table in (views.deployments, views.gateways, views.environments, views.promotions):
        connection.execute(text(f"DROP VIEW {table.fullname} CASCADE"))
        connection.execute(CreateTable(table))
        connection.execute(text(f"GRANT SELECT ON {table.fullname} TO promotion_reader"))


@dataclass
class World:
    """The service under test and what surrounds it."""

    database: Database
    owner: Any
    desk: RequestDesk
    intake: Intake
    lookout: Lookout
    confirmation: Confirmation
    early: EarlyEvents
    now: datetime = START
    published: list[Event] = field(default_factory=list)

    def after(self, **duration: float) -> datetime:
        self.now += timedelta(**duration)
        return self.now

    async def deploy(self, deployment_id: str = "dep-1", **columns: Any) -> None:
        row = {
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "agent_id": "agent-1",
            "gateway_id": "gw-development",
            "environment": "development",
            "version": "1.0.0",
            "digest": "sha256:one",
            "status": "active",
            "deployed_at": self.now,
            "active_since": self.now,
            "changed_at": self.now,
            **columns,
        }
        await self._own(insert(views.deployments).values(row))

    async def redeploy(self, deployment_id: str, **columns: Any) -> None:
        await self._own(
            update(views.deployments).where(views.deployments.c.deployment_id == deployment_id).values(columns)
        )

    async def gateway(
        self, gateway_id: str, environment: str, *, organization_id: str = "acme", **columns: Any
    ) -> None:
        row = {
            "organization_id": organization_id,
            "gateway_id": gateway_id,
            "name": gateway_id,
            "environment": environment,
            "url": "http://gateway",
            "is_default": False,
            "max_concurrency": 8,
            **columns,
        }
        await self._own(insert(views.gateways).values(row))

    async def promotion(self, promotion_id: UUID, **columns: Any) -> None:
        row = {
            "organization_id": "acme",
            "promotion_id": promotion_id,
            "agent_id": "agent-1",
            "source_deployment_id": "dep-1",
            "target_environment": "staging",
            "origin": "user",
            "status": "pending",
            "status_reason": "evaluating",
            "status_message": "",
            "evaluation_number": 0,
            "approvals": 0,
            "rejected_by_person": False,
            "created_by": "rita",
            "created_at": self.now,
            **columns,
        }
        await self._own(insert(views.promotions).values(row))

    async def promotion_became(self, promotion_id: UUID, **columns: Any) -> None:
        await self._own(update(views.promotions).where(views.promotions.c.promotion_id == promotion_id).values(columns))

    async def rule(self, name: str = "rule", *, organization_id: str = "acme", **fields: Any) -> Rule:
        written = RuleWrite.model_validate(
            {"name": name, "source_environment": "development", "target_environment": "staging", **fields}
        )
        async with self.database.begin() as connection:
            return await create_rule(
                connection, written, organization_id=organization_id, rule_id=uuid4(), by="ada", now=self.now
            )

    async def request(self, *events: Event) -> None:
        async with self.database.begin() as connection:
            await self.desk.take(connection, events, self.now)

    async def announce(self, *events: Event) -> None:
        async with self.database.begin() as connection:
            await self.intake.take_announcements(connection, events, self.now)

    async def observe(self, *events: Event) -> None:
        async with self.database.begin() as connection:
            await self.intake.take(connection, events, self.now)

    async def look(self) -> None:
        while await self.lookout.step() == 0.0:
            pass

    async def outbox(self) -> list[tuple[tuple[tuple[str, bytes | None], ...], bytes]]:
        """Take what was written to the outbox since the last call, as it would be published."""
        async with self.database.begin() as connection:
            rows = await connection.execute(text("DELETE FROM rules.outbox RETURNING id, topic, key, headers, value"))
            found = sorted(rows, key=lambda row: row.id)
        for row in found:
            headers = load_headers(row.headers)
            self.published.append(decode(topic=row.topic, key=row.key, headers=headers, value=row.value))
        return [(load_headers(row.headers), row.value) for row in found]

    async def evaluations(self) -> list[RulesEvaluated]:
        """Take the evaluations that were told since the last call."""
        before = len(self.published)
        await self.outbox()
        return [event.data for event in self.published[before:] if isinstance(event.data, RulesEvaluated)]

    async def requests(self) -> list[PromotionRequested]:
        """Take the promotions that the trigger asked for since the last call."""
        before = len(self.published)
        await self.outbox()
        return [event.data for event in self.published[before:] if isinstance(event.data, PromotionRequested)]

    async def _own(self, statement: Any) -> None:
        async with self.owner.begin() as connection:
            await connection.execute(statement)


def event_of(topic: str, data: EventData, *, at: datetime, identifier: str = "", source: str = "/ci/acme") -> Event:
    return Event(topic=topic, key="", id=identifier or str(uuid4()), source=source, subject="", time=at, data=data)


def requested(*, at: datetime = START, promotion_id: UUID | None = None, **fields: Any) -> Event:
    identifier = promotion_id or uuid4()
    data = PromotionRequested.model_validate(
        {
            "organization_id": "acme",
            "promotion_id": identifier,
            "agent_id": "agent-1",
            "source_deployment_id": "dep-1",
            "target_environment": "staging",
            "created_by": "rita",
            **fields,
        }
    )
    source = event_source("promotion", data.organization_id)
    return event_of(topics.PROMOTION_REQUESTED, data, at=at, identifier=f"request-{identifier}", source=source)


def ran_tests(deployment_id: str = "dep-1", *, at: datetime = START, identifier: str = "", **fields: Any) -> Event:
    data = TestsCompleted.model_validate(
        {
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "suite": "smoke",
            "run_id": "run-1",
            "passed": 10,
            "failed": 0,
            **fields,
        }
    )
    return event_of(topics.TESTS_COMPLETED, data, at=at, identifier=identifier)


def measured(
    deployment_id: str = "dep-1",
    *,
    at: datetime = START,
    identifier: str = "",
    organization_id: str = "acme",
    **metrics: Any,
) -> Event:
    data = MetricsObserved.model_validate(
        {"organization_id": organization_id, "deployment_id": deployment_id, "metrics": metrics}
    )
    return event_of(
        topics.METRICS_OBSERVED, data, at=at, identifier=identifier, source=f"/prometheus/{organization_id}"
    )


def announced(deployment_id: str = "dep-1", *, at: datetime = START, **fields: Any) -> Event:
    data = DeploymentCompleted.model_validate(
        {
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "agent_id": "agent-1",
            "environment": "development",
            "gateway_id": "gw-development",
            "version": "1.0.0",
            "digest": "sha256:one",
            "status": DeploymentOutcome.SUCCEEDED,
            "deployed_at": at,
            **fields,
        }
    )
    return event_of(topics.DEPLOYMENT_COMPLETED, data, at=at, source="/gateway/acme")


def only(items: Sequence[Any]) -> Any:
    assert len(items) == 1, items
    return items[0]


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    """A service whose surroundings are empty but for one gateway an environment."""
    owner = create_async_engine(driver_url(database))
    async with owner.begin() as connection:
        await connection.run_sync(_views_as_tables)
    own = Database(database, role="promotion_rules", application_name="rules tests", every_organization=True)
    made: World
    outbox, books = Outbox("rules"), RuleBooks()
    intake = Intake(books=books)
    desk = RequestDesk(outbox=outbox, books=books, hold_seconds=HOLD_SECONDS)
    made = World(
        database=own,
        owner=owner,
        desk=desk,
        intake=intake,
        lookout=Lookout(
            database=own,
            desk=desk,
            books=books,
            trigger=Trigger(outbox=outbox),
            clock=lambda: made.now,
            hold_seconds=HOLD_SECONDS,
        ),
        early=EarlyEvents(database=own, intake=intake, clock=lambda: made.now),
        confirmation=Confirmation(database=own, outbox=outbox, clock=lambda: made.now),
    )
    for environment in ("development", "staging", "production"):
        await made.gateway(f"gw-{environment}", environment)
    yield made
    await own.close()
    await owner.dispose()


@pytest.fixture
def client(world: World) -> Any:
    """The routes, to be called with ``await client.call(method, path, body)``."""
    from tests.integration.rules.calls import Client

    return Client(world)
