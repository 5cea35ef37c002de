"""The promotion service on a real database, driven by handcrafted events; time is moved by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from schemas import topics
from schemas.cloudevents import decode
from schemas.events import DeploymentCompleted, Event, RulesEvaluated, event_source
from schemas.identifiers import event_id
from schemas.vocabulary import ConditionsResult, DeploymentOutcome, Origin
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox, load_headers
from services.platform.schema_state import role_of
from services.promotion import history, store
from services.promotion.completions import apply_completions
from services.promotion.domain.promotion import Key, Promotion
from services.promotion.evaluations import apply_evaluations
from services.promotion.work import Work

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
REDRIVE_AFTER = timedelta(seconds=5)
ORGANIZATION = "acme"


class House:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.database = Database(
            dsn, role=role_of("promotion"), application_name="test", pool_size=16, every_organization=True
        )
        self.owner = Database(dsn, role=None, application_name="test owner", pool_size=2)
        self.outbox = Outbox("promotion")
        self.now = START

    async def close(self) -> None:
        await self.database.close()
        await self.owner.close()

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, duration: timedelta) -> None:
        self.now += duration

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        async with self.database.begin() as connection:
            yield Work(connection, self.outbox, REDRIVE_AFTER, self.now)

    async def evaluate(self, *events: Event) -> None:
        async with self.work() as work:
            await apply_evaluations(work, events)

    async def complete(self, *events: Event) -> None:
        async with self.work() as work:
            await apply_completions(work, events)

    def applying_evaluations(self, events: Sequence[Event]) -> Callable[[Work], Awaitable[None]]:
        return lambda work: apply_evaluations(work, events)

    def applying_completions(self, events: Sequence[Event]) -> Callable[[Work], Awaitable[None]]:
        return lambda work: apply_completions(work, events)

    async def promotion(self, identifier: UUID, organization: str = ORGANIZATION) -> Promotion:
        async with self.database.begin() as connection:
            key = Key(organization, identifier)
            return (await store.load(connection, [key], lock=False))[key]

    async def standing(self, identifier: UUID, organization: str = ORGANIZATION) -> str:
        state = (await self.promotion(identifier, organization)).state
        return f"{state.status}/{state.reason}"

    async def story(self, identifier: UUID, organization: str = ORGANIZATION) -> list[str]:
        promotion = await self.promotion(identifier, organization)
        async with self.database.begin() as connection:
            entries = await history.of_promotion(connection, promotion.key, created_at=promotion.request.created_at)
        assert [entry.version for entry in entries] == list(range(1, promotion.version + 1))
        return [f"{entry.status}/{entry.status_reason}" for entry in entries]

    async def broken_link(self, organization: str = ORGANIZATION) -> int | None:
        async with self.database.begin() as connection:
            return await history.first_break(connection, organization)

    async def told(self, topic: str | None = None) -> list[Event]:
        async with self.database.begin() as connection:
            rows = await connection.execute(text("SELECT topic, key, headers, value FROM promotion.outbox ORDER BY id"))
            events = [decode(topic=t, key=k, headers=load_headers(h), value=v) for t, k, h, v in rows]
        return [event for event in events if topic in {None, event.topic}]

    async def forget_told(self) -> None:
        async with self.database.begin() as connection:
            await connection.execute(text("DELETE FROM promotion.outbox"))

    async def as_owner(self, statement: str, **parameters: Any) -> Sequence[Any]:
        async with self.owner.begin() as connection:
            result = await connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else []


def evaluation(identifier: UUID | None = None, **changes: Any) -> Event:
    """A ``rules.evaluated`` that lets an organization's promotion pass freely, but for ``changes``."""
    identifier = identifier or uuid4()
    values: dict[str, Any] = {
        "organization_id": ORGANIZATION,
        "promotion_id": identifier,
        "number": 1,
        "evaluated_at": START,
        "agent_id": f"agent-{identifier}",
        "source_deployment_id": f"dep-{identifier}",
        "source_environment": "development",
        "target_gateway_id": "gw-staging",
        "target_environment": "staging",
        "created_by": "rita",
        "created_at": START,
        "origin": Origin.EVENT,
        "deployment_version": "1.4.0",
        "digest": "sha256:aa",
        "requires_approval": False,
        "required_approvers": 0,
        "conditions": ConditionsResult.NONE,
        "summary": "",
    } | changes
    data = RulesEvaluated(**values)
    return Event(
        topic=topics.RULES_EVALUATED,
        key=str(identifier),
        id=event_id(str(identifier), data.number, "studio.rules.evaluated.v1"),
        source=event_source("rules", data.organization_id),
        subject=str(identifier),
        time=data.evaluated_at,
        data=data,
    )


def completion(identifier: UUID, *, source: str | None = None, **changes: Any) -> Event:
    """A ``deployment.completed`` of the executor about one promotion."""
    values: dict[str, Any] = {
        "organization_id": ORGANIZATION,
        "deployment_id": str(identifier),
        "agent_id": f"agent-{identifier}",
        "environment": "staging",
        "gateway_id": "gw-staging",
        "version": "1.4.0",
        "digest": "sha256:aa",
        "status": DeploymentOutcome.SUCCEEDED,
        "deployed_at": START,
        "promotion_id": identifier,
    } | changes
    data = DeploymentCompleted(**values)
    return Event(
        topic=topics.DEPLOYMENT_COMPLETED,
        key=str(identifier),
        id=event_id(str(identifier), 1, "studio.deployment.completed.v1"),
        source=source or event_source("executor", data.organization_id),
        subject=str(identifier),
        time=START,
        data=data,
    )
