"""What the consumers promise, on a real broker and a real PostgreSQL."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.events import Event
from services.platform.database import DatabaseUnavailable
from services.platform.messaging import consumer, gathering
from services.platform.messaging.consumer import Unprocessable
from tests.integration.platform.conftest import TOPIC, Probe, run_event, until


def poison(value: bytes | None, *, headers: tuple[tuple[str, bytes | None], ...] = ()) -> EncodedRecord:
    return EncodedRecord(TOPIC, b"dep-1", headers, value)


def spoilt(name: str, raw: bytes | None) -> EncodedRecord:
    record = encode(run_event("spoilt"))
    headers = tuple((key, raw if key == name else value) for key, value in record.headers)
    return EncodedRecord(record.topic, record.key, headers, record.value)


POISON = {
    "bad JSON": (poison(b"{", headers=encode(run_event("x")).headers), "bad_json"),
    "wrong schema": (poison(b'{"organization_id":"acme"}', headers=encode(run_event("x")).headers), "wrong_schema"),
    "tombstone": (poison(None), "tombstone"),
    "null header": (spoilt("ce_id", None), "bad_header"),
    "header not UTF-8": (spoilt("ce_id", b"\xff\xfe"), "bad_header"),
    "deep nesting": (poison(b"[" * 100_000, headers=encode(run_event("x")).headers), "bad_json"),
    "future version": (spoilt("ce_type", b"studio.tests.completed.v9"), "wrong_type"),
    "no envelope": (poison(b"{}"), "bad_envelope"),
}


async def test_of_several_bootstrap_addresses_one_that_answers_is_enough(probe: Probe) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    answering = probe.settings.kafka_bootstrap_servers
    probe.settings = probe.settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:9,{answering}"})
    await probe.publish(run_event("run-1"))
    consumers = probe.consumers(apply)

    await consumers.start()
    await until(lambda: probe.seen == ["run-1"])

    await consumers.stop()


async def test_consumers_never_rest_after_a_look_that_brought_nothing_not_even_the_first(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.sleep(seconds)

    monkeypatch.setattr(consumer, "POLL_MS", 1)
    monkeypatch.setattr("faststream.kafka.subscriber.usecase.anyio.sleep", rest)
    consumers = probe.consumers(apply, topics=(topics.METRICS_OBSERVED, TOPIC))
    await consumers.start()
    await probe.publish(run_event("run-1"))
    await until(lambda: probe.seen == ["run-1"])
    await consumers.stop()

    assert not rests


@pytest.mark.parametrize(("record", "reason"), POISON.values(), ids=POISON.keys())
async def test_a_poison_record_is_parked_whole_and_its_neighbours_are_applied(
    probe: Probe, record: EncodedRecord, reason: str
) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    await probe.publish(run_event("before"), record, run_event("after"))
    consumers = probe.consumers(apply)

    await consumers.start()
    await until(lambda: {"before", "after"} <= set(probe.seen))
    await consumers.stop()

    async with probe.database.begin() as connection:
        letters = (await connection.execute(text("SELECT * FROM platform.dead_letter"))).all()
        published = await connection.scalar(text("SELECT count(*) FROM probe.outbox"))
    assert [(letter.reason, letter.key, letter.value) for letter in letters] == [(reason, record.key, record.value)]
    assert published == 1


async def test_a_batch_that_fails_for_an_outage_is_tried_again_until_it_is_applied(probe: Probe) -> None:
    attempts = 0

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise DatabaseUnavailable("away")
        probe.seen.extend(event.id for event in events)

    await probe.publish(*(run_event(f"run-{number}", deployment=f"dep-{number}") for number in range(40)))
    consumers = probe.consumers(apply)

    await consumers.start()
    await until(lambda: len(set(probe.seen)) == 40)
    await consumers.stop()

    assert attempts >= 3


async def test_what_comes_one_by_one_is_gathered_for_a_patient_subscription(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "GATHER_SECONDS", 2.0)
    batches: list[list[str]] = []

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        batches.append([event.id for event in events])

    consumers = probe.consumers(apply, patient=True)
    await consumers.start()
    await probe.publish(run_event("first"))
    await until(lambda: bool(batches))
    for number in range(5):
        # Of each partition the client holds what one answer of the broker brought.
        await probe.publish(run_event(f"run-{number}", deployment=f"dep-{number}"))
    await until(lambda: sum(len(batch) for batch in batches) == 6)
    await consumers.stop()

    assert len(batches[0]) == 1 < len(batches[1])


async def test_a_patient_subscription_does_not_rest_while_many_come(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "GATHER_SECONDS", 3600.0)
    applied = 0

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        nonlocal applied
        applied += len(events)

    await probe.publish(*(run_event(f"run-{number}") for number in range(2 * consumer.MAX_RECORDS)))
    consumers = probe.consumers(apply, patient=True)

    await consumers.start()
    await until(lambda: applied > consumer.MAX_RECORDS)
    await consumers.stop()


async def test_one_unprocessable_event_is_parked_alone_out_of_its_batch(probe: Probe) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        if any(event.id == "run-7" for event in events):
            raise Unprocessable("id_reuse", "run-7 was used before")
        probe.seen.extend(event.id for event in events)

    await probe.publish(*(run_event(f"run-{number}") for number in range(20)))
    consumers = probe.consumers(apply)

    await consumers.start()
    await until(lambda: len(set(probe.seen)) == 19)
    await consumers.stop()

    async with probe.database.begin() as connection:
        reasons = (await connection.execute(text("SELECT reason, detail FROM platform.dead_letter"))).all()
    assert [tuple(row) for row in reasons] == [("id_reuse", "run-7 was used before")]
    assert sorted(set(probe.seen)) == sorted(f"run-{number}" for number in range(20) if number != 7)


async def test_a_value_that_postgres_refuses_parks_its_event_alone(probe: Probe) -> None:
    async def apply(connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        for event in events:
            await connection.execute(text("SELECT 1 / cast(:n AS int)"), {"n": 0 if event.id == "run-2" else 1})
            probe.seen.append(event.id)

    await probe.publish(*(run_event(f"run-{number}") for number in range(4)))
    consumers = probe.consumers(apply)

    await consumers.start()
    await until(lambda: {"run-0", "run-1", "run-3"} <= set(probe.seen))
    await consumers.stop()

    async with probe.database.begin() as connection:
        reason = await connection.scalar(text("SELECT reason FROM platform.dead_letter"))
    assert reason == "unprocessable"


async def test_what_was_not_committed_before_a_crash_is_delivered_again(probe: Probe) -> None:
    reached = asyncio.Event()

    async def hang(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    await probe.publish(run_event("run-1"), run_event("run-2"))
    crashed = probe.consumers(hang)
    await crashed.start()
    await asyncio.wait_for(reached.wait(), 10)
    stopping = asyncio.create_task(crashed.stop())
    successor = probe.consumers(apply)

    await successor.start()
    await until(lambda: set(probe.seen) == {"run-1", "run-2"})

    await successor.stop()
    await stopping


async def test_an_error_of_a_statement_is_not_taken_for_an_outage(probe: Probe) -> None:
    with pytest.raises(DBAPIError):
        async with probe.database.begin() as connection:
            await connection.execute(text("SELECT 1/0"))
