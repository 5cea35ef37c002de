"""KAFKA_TRUST=signed: what neither a service nor a key's holder signed is parked, whole and for good reason."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import Event, TestsCompleted
from schemas.vocabulary import Role
from services.platform.database import Database
from services.platform.grants import Grants
from services.platform.identity import create_key, revoke_key
from services.platform.messaging.consumer import BatchProcessor, Subscription
from services.platform.messaging.dead_letters import Record
from services.platform.messaging.gate import Gate
from services.platform.messaging.outbox import Outbox
from services.platform.messaging.signatures import KEY_HEADER, sign_as_publisher, signer_of_services

PEPPER = "p" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class Consumer:
    """A consumer of tests.completed whose clock is moved by hand."""

    database: Database
    now: datetime = NOW
    seen: list[str] = field(default_factory=list)
    offset: int = 0
    processor: BatchProcessor = field(init=False)

    def __post_init__(self) -> None:
        self.processor = BatchProcessor(
            Subscription(topics.TESTS_COMPLETED, self._apply),
            service="rules",
            database=self.database,
            outbox=Outbox("rules"),
            clock=lambda: self.now,
            committed=lambda: None,
            gate=Gate(PEPPER),
        )

    async def take(self, *records: EncodedRecord) -> None:
        await self.processor.process([self._received(record) for record in records])

    async def parked(self) -> list[str]:
        async with self.database.begin() as connection:
            return list(await connection.scalars(text("SELECT reason FROM platform.dead_letter ORDER BY kafka_offset")))

    async def key(
        self, *roles: Role, organization: str = "acme", lifetime: timedelta | None = timedelta(days=30)
    ) -> str:
        async with self.database.begin() as connection:
            return await create_key(
                connection, organization_id=organization, subject="ci", grants=Grants.of(*roles), pepper=PEPPER,
                now=NOW, lifetime=lifetime,
            )  # fmt: skip

    async def _apply(self, _connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        self.seen += [event.id for event in events]

    def _received(self, record: EncodedRecord) -> Record:
        self.offset += 1
        return Record(record.topic, 0, self.offset, 0, record.key, record.headers, record.value)


@pytest.fixture
async def consumer(database: str) -> AsyncIterator[Consumer]:
    pool = Database(database, role=None, application_name="signed", every_organization=True)
    yield Consumer(pool)
    await pool.close()


def result(identifier: str, *, at: datetime = NOW, source: str = "/ci") -> EncodedRecord:
    data = TestsCompleted(organization_id="acme", deployment_id="dep-1", suite="s", run_id="r", outcome="success")
    return encode(
        Event(topic=topics.TESTS_COMPLETED, key="dep-1", id=identifier, source=source, subject="", time=at, data=data)
    )


async def test_what_a_publisher_or_a_service_signed_is_taken(consumer: Consumer) -> None:
    key = await consumer.key(Role.PUBLISHER)

    await consumer.take(
        sign_as_publisher(result("1"), key), signer_of_services(PEPPER)(result("2", source="/ingress/acme"))
    )

    assert consumer.seen == ["1", "2"]
    assert await consumer.parked() == []


@pytest.mark.parametrize(
    "forged",
    [
        lambda record, key: record,
        lambda record, key: replace(sign_as_publisher(record, key), value=record.value.replace(b"success", b"failure")),
        lambda record, key: sign_as_publisher(record, f"{key}x"),
        lambda record, key: sign_as_publisher(record, "pk_0000000000000000_guessed"),
        lambda record, key: signer_of_services("q" * 32)(record),
        lambda record, key: sign_as_publisher(record, f"pk_service_{key}"),
        lambda record, key: sign_as_publisher(record, "pk_'; DROP TABLE x; --_y"),
        lambda record, key: _renamed(sign_as_publisher(record, key)),
    ],
)  # fmt: skip
async def test_a_forged_record_is_parked_beside_good_ones(
    consumer: Consumer, forged: Callable[[EncodedRecord, str], EncodedRecord]
) -> None:
    key = await consumer.key(Role.PUBLISHER)

    await consumer.take(
        sign_as_publisher(result("before"), key), forged(result("forged"), key), sign_as_publisher(result("after"), key)
    )

    assert consumer.seen == ["before", "after"]
    assert await consumer.parked() == ["unauthenticated"]


async def test_a_holder_without_the_role_is_parked(consumer: Consumer) -> None:
    await consumer.take(sign_as_publisher(result("1"), await consumer.key(Role.VIEWER)))

    assert (consumer.seen, await consumer.parked()) == ([], ["forbidden"])


async def test_a_holder_of_another_organization_is_parked(consumer: Consumer) -> None:
    await consumer.take(sign_as_publisher(result("1"), await consumer.key(Role.PUBLISHER, organization="globex")))

    assert (consumer.seen, await consumer.parked()) == ([], ["foreign_organization"])


async def test_a_holder_that_speaks_as_a_service_is_parked(consumer: Consumer) -> None:
    key = await consumer.key(Role.PUBLISHER)

    await consumer.take(sign_as_publisher(result("1", source="/executor/acme"), key))

    assert (consumer.seen, await consumer.parked()) == ([], ["reserved_source"])


@pytest.mark.parametrize("at", [NOW - timedelta(days=7, seconds=1), NOW + timedelta(minutes=11)])
async def test_a_record_of_another_time_is_parked(consumer: Consumer, at: datetime) -> None:
    await consumer.take(sign_as_publisher(result("1", at=at), await consumer.key(Role.PUBLISHER)))

    assert (consumer.seen, await consumer.parked()) == ([], ["unauthenticated"])


async def test_a_revoked_key_signs_nothing_after_seconds(consumer: Consumer) -> None:
    key = await consumer.key(Role.PUBLISHER)
    await consumer.take(sign_as_publisher(result("1"), key))
    async with consumer.database.begin() as connection:
        assert await revoke_key(connection, key.split("_")[1], now=NOW)

    consumer.now += timedelta(seconds=11)
    await consumer.take(sign_as_publisher(result("2"), key))

    assert (consumer.seen, await consumer.parked()) == (["1"], ["unauthenticated"])


async def test_an_expired_key_signs_nothing(consumer: Consumer) -> None:
    key = await consumer.key(Role.PUBLISHER, lifetime=timedelta(minutes=1))

    consumer.now += timedelta(minutes=2)
    await consumer.take(sign_as_publisher(result("1"), key))

    assert (consumer.seen, await consumer.parked()) == ([], ["unauthenticated"])


def _renamed(record: EncodedRecord) -> EncodedRecord:
    headers = tuple((name, b"service" if name == KEY_HEADER else raw) for name, raw in record.headers)
    return replace(record, headers=headers)


async def test_a_parked_record_belongs_to_nobody_that_it_merely_names(consumer: Consumer) -> None:
    await consumer.take(result("unsigned"))

    async with consumer.database.begin() as connection:
        owners = list(await connection.scalars(text("SELECT organization_id FROM platform.dead_letter")))
    assert owners == [None]
