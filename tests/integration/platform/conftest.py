"""A service of the tests' own, with a schema `probe`, on the real PostgreSQL and broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import Event, TestsCompleted, event_source
from services.platform.database import Database
from services.platform.messaging.consumer import Apply, Consumers, Subscription
from services.platform.messaging.outbox import Outbox, Relay
from services.platform.messaging.producer import Publisher
from services.platform.outbox_table import outbox_table
from services.platform.settings import Settings, load_settings
from studio.local.kafka_admin import create_topics

TOPIC = topics.TESTS_COMPLETED


def run_event(run: str, *, deployment: str = "dep-1") -> Event:
    data = TestsCompleted(
        organization_id="acme", deployment_id=deployment, suite="smoke", run_id=run, outcome="success"
    )
    return Event(
        topic=TOPIC,
        key=deployment,
        id=run,
        source=event_source("ci", "acme"),
        subject=deployment,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        data=data,
    )


@dataclass
class Probe:
    """What the tests' service has seen, and how it is to behave."""

    settings: Settings
    database: Database
    outbox: Outbox
    publisher: Publisher
    seen: list[str] = field(default_factory=list)

    def consumers(self, apply: Apply, *, topics: Sequence[str] = (TOPIC,), patient: bool = False) -> Consumers:
        return Consumers(
            [Subscription(topic, apply, patient) for topic in topics],
            service="probe",
            settings=self.settings,
            database=self.database,
            outbox=self.outbox,
            clock=lambda: datetime.now(UTC),
            committed=lambda: None,
        )

    def relay(self) -> Relay:
        return Relay(self.settings.database_url.get_secret_value(), self.outbox, self.publisher, role=None)

    async def publish(self, *records: EncodedRecord | Event) -> None:
        await self.publisher.publish([encode(item) if isinstance(item, Event) else item for item in records])


def member(probe: Probe, name: str, seen: list[str], *, pause_seconds: float = 0.0) -> Consumers:
    """Give one more worker of the probe's group, which notes what it applied in ``seen``."""

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        await asyncio.sleep(pause_seconds)
        seen.extend(event.id for event in events)

    worker = replace(probe, settings=probe.settings.model_copy(update={"instance": name}))
    return worker.consumers(apply)


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def probe(database: str, own_broker_address: str, kafka_kind: str) -> AsyncIterator[Probe]:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA probe")
    with contextlib.suppress(asyncpg.DuplicateObjectError):
        await connection.execute("CREATE ROLE promotion_probe NOLOGIN")
    for statement in outbox_table("probe"):
        await connection.execute(statement)
    await connection.close()
    settings = load_settings(
        {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": own_broker_address,
            "PROMOTION_KAFKA_FLAVOUR": kafka_kind,
            "PROMOTION_INSTANCE": uuid4().hex,
            "PROMOTION_KEY_PEPPER": "p" * 32,
        }
    )
    pool = Database(database, role=None, application_name="probe")
    publisher = Publisher(settings.bootstrap_servers, service="probe")
    yield Probe(settings, pool, Outbox("probe"), publisher)
    await publisher.close()
    await pool.close()


@pytest.fixture
def own_broker_address(request: pytest.FixtureRequest, kafka_kind: str) -> str:
    """A broker without other tests' records where that is cheap; on Apache Kafka one of this test alone."""
    if kafka_kind == "embedded":
        return str(request.getfixturevalue("own_broker").bootstrap)
    kafka = request.getfixturevalue("own_apache_kafka")
    create_topics(kafka.bootstrap, topics.all_topics(), partitions=topics.DEFAULT_PARTITIONS)
    return str(kafka.bootstrap)
