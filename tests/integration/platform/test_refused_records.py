"""Records that Kafka will never take: refused when they are written, set aside by the relay, never in the way."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord, encode
from schemas.events import Event, TestsCompleted
from services.platform.messaging.outbox import MAX_RECORD_BYTES, RecordTooLarge
from services.platform.messaging.producer import Publisher, PublishFailed, PublishRefused
from tests.integration.platform.conftest import TOPIC, Probe, run_event, until

TOPIC_LIMIT_BYTES = 2000


def large(run: str, *, deployment: str = "dep-1", size_bytes: int = 5000) -> EncodedRecord:
    record = encode(run_event(run, deployment=deployment))
    return EncodedRecord(record.topic, record.key, record.headers, (record.value or b"") + b" " * size_bytes)


async def write(probe: Probe, *records: EncodedRecord | Event) -> None:
    async with probe.database.begin() as connection:
        await probe.outbox.append_records(
            connection, [encode(item) if isinstance(item, Event) else item for item in records]
        )


async def letters(probe: Probe) -> list[tuple[object, ...]]:
    async with probe.database.begin() as connection:
        rows = await connection.execute(text("SELECT * FROM platform.dead_letter ORDER BY kafka_offset"))
        return [
            (row.consumer_group, row.organization_id, row.topic, row.reason, row.key, row.value, row.kafka_partition)
            for row in rows
        ]


async def waiting(probe: Probe) -> int:
    async with probe.database.begin() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM probe.outbox")) or 0)


async def relayed(probe: Probe) -> None:
    """Run the relay until nothing waits."""
    relaying = asyncio.create_task(probe.relay().run())
    async with asyncio.timeout(20):
        while await waiting(probe):
            await asyncio.sleep(0.02)
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)


async def test_what_kafka_would_not_take_is_refused_when_it_is_written(probe: Probe) -> None:
    too_large = large("big", size_bytes=MAX_RECORD_BYTES)

    with pytest.raises(RecordTooLarge, match=rf"{TOPIC}.*{MAX_RECORD_BYTES:,}"):
        await write(probe, run_event("before"), too_large)

    assert await waiting(probe) == 0


async def test_an_event_whose_effects_would_be_too_large_is_parked_and_its_neighbours_are_applied(probe: Probe) -> None:
    async def apply(connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        told = [large("big", size_bytes=MAX_RECORD_BYTES) for event in events if event.id == "fatal"]
        await probe.outbox.append_records(connection, told)
        probe.seen.extend(event.id for event in events)

    await probe.publish(run_event("before"), run_event("fatal"), run_event("after"))
    consumers = probe.consumers(apply)

    await consumers.start()
    await until(lambda: {"before", "after"} <= set(probe.seen))
    await consumers.stop()

    assert [letter[3] for letter in await letters(probe)] == ["too_large"]


class Picky(Publisher):
    """A publisher whose broker takes no record of more than a kilobyte, and at first is away."""

    def __init__(self) -> None:
        super().__init__(lambda: "", service="probe")
        self.failures = 0
        self.taken: list[bytes | None] = []

    async def publish(self, records: Sequence[EncodedRecord]) -> None:
        if self.failures:
            self.failures -= 1
            raise PublishFailed("away")
        if any(len(record.value or b"") > 1000 for record in records):
            raise PublishRefused("too_large", "larger than 1,000 bytes")
        self.taken += [record.value for record in records]


async def test_what_is_refused_is_set_aside_whole_once_and_nothing_behind_it_waits(probe: Probe) -> None:
    probe.publisher = picky = Picky()
    before, refused, after = encode(run_event("before")), large("big"), encode(run_event("after"))
    picky.failures = 2
    await write(probe, before, refused, after)

    await relayed(probe)
    await write(probe, refused)
    await relayed(probe)

    assert picky.taken == [before.value, after.value]
    assert await letters(probe) == [
        ("probe.outbox", "acme", TOPIC, "too_large", refused.key, refused.value, -1),
    ]


async def test_a_letter_that_was_sent_again_in_vain_is_a_new_letter(probe: Probe) -> None:
    probe.publisher = Picky()
    await write(probe, large("big"))
    await relayed(probe)
    async with probe.database.begin() as connection:
        await connection.execute(text("UPDATE platform.dead_letter SET replayed_at = now()"))

    await write(probe, large("big"))
    await relayed(probe)

    assert len(await letters(probe)) == 2


async def test_a_refused_letter_for_the_dead_letter_topic_is_dropped_because_postgresql_has_it(probe: Probe) -> None:
    probe.publisher = Picky()
    record = large("big")
    await write(probe, EncodedRecord(f"{TOPIC}.dead", record.key, record.headers, record.value))

    await relayed(probe)

    assert await letters(probe) == []


@pytest.mark.apache_kafka
async def test_apache_kafka_refuses_a_batch_and_only_what_is_too_large_is_set_aside(probe: Probe) -> None:
    limit_topic(probe.settings.bootstrap_servers(), TOPIC_LIMIT_BYTES)
    others = [run_event(f"run-{number}", deployment=f"dep-{number % 3}") for number in range(30)]
    refused = large("big", deployment="dep-1")

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        for event in events:
            assert isinstance(event.data, TestsCompleted)
            if event.id not in probe.seen:
                probe.seen.append(event.id)

    consumers = probe.consumers(apply)
    await consumers.start()
    await write(probe, *others[:15], refused, *others[15:])

    await relayed(probe)
    await until(lambda: len(probe.seen) == 30)
    await consumers.stop()

    assert [(letter[3], letter[5]) for letter in await letters(probe)] == [("too_large", refused.value)]
    for deployment in range(3):
        mine = [event.id for number, event in enumerate(others) if number % 3 == deployment]
        assert [seen for seen in probe.seen if seen in mine] == mine


def limit_topic(bootstrap: str, most_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(most_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": bootstrap})
    for answer in client.incremental_alter_configs([resource]).values():
        answer.result(timeout=10)
