"""Poison at every subscription, on a real broker: parked byte for byte or harmless, and its neighbours are done."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import text

from schemas.cloudevents import EncodedRecord, encode
from schemas.topics import CONSUMED_BY, consumer_group
from services.platform.messaging.consumer import Consumers
from services.platform.messaging.outbox import load_headers
from services.platform.messaging.producer import Publisher, partition_of
from services.platform.settings import Settings, load_settings
from tests.integration.platform.conftest import own_broker_address
from tests.integration.poison.kinds import KINDS, REPLY_TOPIC, UNREADABLE, unreadable_batch
from tests.integration.poison.subscribers import SUBSCRIBERS, Subscriber, parameters
from tests.integration.promotion.house import House
from tests.simulation.members import BUILDERS
from tests.simulation.runs import quiet

__all__ = ["own_broker_address"]
SECONDS = 30


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    house = House(database)
    with quiet():
        yield house
    await house.close()


@pytest.fixture
def settings(database: str, own_broker_address: str, kafka_kind: str) -> Settings:
    return load_settings(
        {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": own_broker_address,
            "PROMOTION_KAFKA_FLAVOUR": kafka_kind,
            "PROMOTION_INSTANCE": uuid4().hex,
            "PROMOTION_KEY_PEPPER": "p" * 32,
        }
    )


def test_every_subscription_is_among_those_that_are_tested() -> None:
    consumed = {(service, topic) for service, topics in CONSUMED_BY.items() for topic in topics}

    assert {(subscriber.service, subscriber.topic) for subscriber in SUBSCRIBERS} == consumed


@pytest.mark.parametrize("subscriber", SUBSCRIBERS, ids=lambda subscriber: subscriber.name)
async def test_poison_is_parked_whole_or_harmless_and_what_lies_behind_it_is_done(
    house: House, settings: Settings, subscriber: Subscriber
) -> None:
    names = ["before", *KINDS, "wrong organization", "after"]
    ids = dict(zip(names, (uuid4() for _ in names), strict=True))
    for identifier in ids.values():
        if subscriber.prepare is not None:
            await subscriber.prepare(house, identifier)
    records = {name: _record(subscriber, name, identifier) for name, identifier in ids.items()}
    raw = unreadable_batch(b"whatever it was")
    consumers = _consumers(subscriber, settings)

    await _publish(settings, [records[name] for name in names[:-1]])
    await _publish_batch(settings, subscriber.topic, partition_key=b"same-partition", raw=raw)
    await _publish(settings, [_foreign(subscriber), records["after"]])
    await consumers.start()
    try:
        await _until_done(house, subscriber, ids["after"])
        await _until_idle(consumers)
    finally:
        await consumers.stop()

    parked = {name: (records[name], kind.reason) for name, kind in KINDS.items() if kind.reason}
    letters = await _letters(house, subscriber)
    for name, (record, reason) in parked.items():
        assert letters[reason, record.key, record.headers, record.value] == 1, name
    (batch,) = [value for (reason, _, _, value) in letters if reason == "unreadable_compression"]
    assert batch is not None
    assert batch[8:] == raw[8:], UNREADABLE
    for name in ("before", "null key", "reply_to", "after"):
        assert await _done(house, subscriber, ids[name]), name
    assert not await _done(house, subscriber, ids["wrong organization"])
    assert await _count(settings, REPLY_TOPIC) == (len(names) + 2 if subscriber.topic == REPLY_TOPIC else 0)


def _record(subscriber: Subscriber, name: str, identifier: UUID) -> EncodedRecord:
    good = encode(subscriber.good(identifier))
    if name == "wrong organization":
        data = json.loads(good.value or b"")
        return replace(good, value=json.dumps({**data, "organization_id": "globex"}).encode())
    return KINDS[name].make(good) if name in KINDS else good


def _foreign(subscriber: Subscriber) -> EncodedRecord:
    """Give an event about ids that nobody here has ever heard of."""
    return encode(subscriber.good(uuid4()))


def _consumers(subscriber: Subscriber, settings: Settings) -> Consumers:
    service: Any = BUILDERS[subscriber.service](settings)
    consumers: Consumers = service._consumers
    return consumers


async def _publish(settings: Settings, records: list[EncodedRecord]) -> None:
    publisher = Publisher(settings.bootstrap_servers, service="test")
    for record in records:
        # The null key lies where an empty one would, which is another partition; the others share one.
        await publisher.publish([record])
    await publisher.close()


async def _publish_batch(settings: Settings, topic: str, *, partition_key: bytes, raw: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers()) as producer:
        batch = producer.create_batch()
        batch.append(key=partition_key, value=b"", timestamp=None)
        batch.close()
        batch._buffer = raw
        count = len(await producer.partitions_for(topic))
        await (await producer.send_batch(batch, topic, partition=partition_of(partition_key, count)))


async def _until_done(house: House, subscriber: Subscriber, identifier: UUID) -> None:
    async with asyncio.timeout(SECONDS):
        while not await _done(house, subscriber, identifier):
            await asyncio.sleep(0.05)


async def _until_idle(consumers: Consumers) -> None:
    async with asyncio.timeout(SECONDS):
        while any((await consumers.lag()).values()) or consumers.failing():
            await asyncio.sleep(0.05)


async def _done(house: House, subscriber: Subscriber, identifier: UUID) -> bool:
    async with house.owner.begin() as connection:
        return bool(await connection.scalar(text(subscriber.done), parameters(identifier)))


async def _letters(house: House, subscriber: Subscriber) -> Counter[Any]:
    rows = await house.as_owner(
        "SELECT reason, key, headers, value FROM platform.dead_letter WHERE consumer_group = :group",
        group=consumer_group(subscriber.service, subscriber.topic),
    )
    return Counter((row.reason, row.key, load_headers(row.headers), row.value) for row in rows)


async def _count(settings: Settings, topic: str) -> int:
    async with AIOKafkaConsumer(topic, bootstrap_servers=settings.bootstrap_servers()) as consumer:
        ends = await consumer.end_offsets(sorted(consumer.assignment()))
        return sum(ends.values())
