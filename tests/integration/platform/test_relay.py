"""What the relay of an outbox promises, on a real PostgreSQL: order, one at a time, and patience with Kafka."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord
from schemas.events import Event
from services.platform.messaging.outbox import RETRY_SECONDS, Outbox
from services.platform.messaging.producer import Publisher, PublishFailed
from tests.integration.platform.conftest import Probe, run_event, until


async def test_the_relay_publishes_in_order_and_keeps_nothing_that_was_acknowledged(probe: Probe) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event(f"run-{number}") for number in range(1200)])
    relay = asyncio.create_task(probe.relay().run())
    consumers = probe.consumers(apply)
    await consumers.start()

    await until(lambda: len(probe.seen) >= 1200)

    await consumers.stop()
    relay.cancel()
    async with probe.database.begin() as connection:
        left = await connection.scalar(text("SELECT count(*) FROM probe.outbox"))
    assert probe.seen == [f"run-{number}" for number in range(1200)]
    assert left == 0


class Unsteady(Publisher):
    """A publisher whose broker takes the records of some calls, in order, and of all calls after those."""

    def __init__(self, *takes: bool) -> None:
        super().__init__(lambda: "", service="probe")
        self.takes = list(takes)

    async def publish(self, records: Sequence[EncodedRecord]) -> None:
        if self.takes and not self.takes.pop(0):
            raise PublishFailed("away")


@pytest.mark.parametrize(
    ("takes", "waits"),
    [
        ((False, False, False), RETRY_SECONDS[:3]),
        # 1200 rows are three batches.
        ((False, False, True, False), (*RETRY_SECONDS[:2], RETRY_SECONDS[0])),
    ],
    ids=["nothing is taken", "a batch is taken"],
)
async def test_the_relay_waits_longer_with_each_failure_until_a_batch_is_taken(
    probe: Probe, takes: tuple[bool, ...], waits: tuple[float, ...]
) -> None:
    probe.publisher = unsteady = Unsteady(*takes)
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event(f"run-{number}") for number in range(1200)])

    with structlog.testing.capture_logs() as lines:
        relay = asyncio.create_task(probe.relay().run())
        await until(lambda: not unsteady.takes)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)

    assert tuple(line["retry"] for line in lines if line["event"] == "relay interrupted") == waits


async def test_a_relay_that_found_nothing_left_begins_with_the_shortest_wait(probe: Probe) -> None:
    probe.publisher = unsteady = Unsteady(False, False)
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("run-1")])

    with structlog.testing.capture_logs() as lines:
        relay = probe.relay()
        relaying = asyncio.create_task(relay.run())
        await until(lambda: not unsteady.takes)
        async with probe.database.begin() as connection:
            await connection.execute(text("DELETE FROM probe.outbox"))
        await until(lambda: relay._failures == 0)
        unsteady.takes.append(False)
        async with probe.database.begin() as connection:
            await probe.outbox.append(connection, [run_event("run-2")])
        await until(lambda: not unsteady.takes)
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)

    assert [line["retry"] for line in lines if line["event"] == "relay interrupted"] == [
        *RETRY_SECONDS[:2],
        RETRY_SECONDS[0],
    ]


async def test_a_relay_that_waits_its_turn_is_in_order_and_passes_on_what_wakes_it(probe: Probe, database: str) -> None:
    active = await asyncpg.connect(database)
    await active.fetchval("SELECT pg_advisory_lock(hashtext('relay'), hashtext('probe'))")
    told = asyncio.Event()
    await active.add_listener(probe.outbox.channel, lambda *_: told.set())
    relay = probe.relay()
    waiting = asyncio.create_task(relay.run())

    await until(lambda: relay.last_success is not None)
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("run-1")])
    async with asyncio.timeout(20):
        await told.wait()

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await active.close()


async def test_whoever_relays_is_told_once_of_each_commit_that_wrote_records_and_of_no_other(probe: Probe) -> None:
    told: list[str] = []
    probe.outbox.wakes(lambda: told.append("a commit"))

    async def fail() -> None:
        async with probe.database.begin() as connection:
            await probe.outbox.append(connection, [run_event("run-3")])
            raise ZeroDivisionError

    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("run-1")])
        await probe.outbox.append(connection, [run_event("run-2")])
        before = list(told)
    after = list(told)
    with pytest.raises(ZeroDivisionError):
        await fail()
    for _ in range(2):
        async with probe.database.begin() as connection:
            await probe.outbox.append(connection, [])

    assert (before, after, told) == ([], ["a commit"], ["a commit"])


async def test_of_two_relays_one_is_active_and_the_other_takes_over(probe: Probe, database: str) -> None:
    first, second = asyncio.create_task(probe.relay().run()), None
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("run-1")])
    observer = await asyncpg.connect(database)
    await _drained(observer)
    second = asyncio.create_task(probe.relay().run())
    first.cancel()
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("run-2")])

    await _drained(observer)

    second.cancel()
    await observer.close()


async def test_what_nobody_woke_the_relay_for_is_published_all_the_same(probe: Probe, database: str) -> None:
    relay = asyncio.create_task(probe.relay().run())
    observer = await asyncpg.connect(database)
    await asyncio.sleep(0.5)

    async with probe.database.begin() as connection:
        await Outbox("probe").append(connection, [run_event("run-1")])
    await _drained(observer)

    relay.cancel()
    await observer.close()


async def _drained(observer: asyncpg.Connection) -> None:
    async with asyncio.timeout(10):
        while await observer.fetchval("SELECT count(*) FROM probe.outbox"):
            await asyncio.sleep(0.01)
