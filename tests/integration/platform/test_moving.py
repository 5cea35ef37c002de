"""A broker that dies and one that comes back elsewhere: consumers let go of the one and follow to the other."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event
from schemas.topics import DEFAULT_PARTITIONS, all_topics
from services.platform.messaging.moving import follow
from studio.local.broker import EmbeddedBroker
from tests.integration.platform.conftest import Probe, run_event, until

# A service has so long from SIGTERM to its end.
STOPPED_SECONDS = 5.0


@pytest.fixture
def probe_of_a_file(probe: Probe, tmp_path: Path) -> Probe:
    """The probe, which reads the broker's address from ``tmp_path/address``."""
    file = tmp_path / "address"
    file.write_text(probe.settings.kafka_bootstrap_servers)
    probe.settings = probe.settings.model_copy(update={"kafka_bootstrap_servers": "", "kafka_bootstrap_file": file})
    probe.publisher._bootstrap_servers = probe.settings.bootstrap_servers
    return probe


async def test_a_batch_that_cannot_be_committed_for_want_of_a_broker_does_not_hold_up_the_end(
    probe: Probe, own_broker: EmbeddedBroker
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def apply(_connection: AsyncConnection, _events: Sequence[Event], _now: datetime) -> None:
        begun.set()
        await go_on.wait()

    await probe.publish(run_event("run-1"))
    consumers = probe.consumers(apply)
    await consumers.start()
    await asyncio.wait_for(begun.wait(), 10)
    own_broker.stop()
    go_on.set()

    await asyncio.wait_for(consumers.stop(), STOPPED_SECONDS)


async def test_nothing_of_consumers_that_were_stopped_without_a_broker_goes_on(
    probe: Probe, own_broker: EmbeddedBroker
) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    await probe.publish(run_event("run-1"))
    await probe.publisher.close()
    before = asyncio.all_tasks()
    consumers = probe.consumers(apply)
    await consumers.start()
    await until(lambda: probe.seen == ["run-1"])
    own_broker.stop()

    await consumers.stop()

    await until(lambda: asyncio.all_tasks() <= before, seconds=5)


async def test_consumers_and_relay_follow_a_broker_that_comes_back_elsewhere(
    probe_of_a_file: Probe, own_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    probe = probe_of_a_file

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        probe.seen.extend(event.id for event in events)

    async def consume() -> None:
        consumers = probe.consumers(apply)
        try:
            await consumers.start()
            await asyncio.Event().wait()
        finally:
            await consumers.stop()

    following = [asyncio.create_task(follow(probe.settings, work)) for work in (consume, probe.relay().run)]
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("before")])
    await until(lambda: probe.seen == ["before"])
    own_broker.stop()
    elsewhere = EmbeddedBroker(all_topics(), partitions=DEFAULT_PARTITIONS)
    elsewhere.start()

    (tmp_path / "address").write_text(elsewhere.bootstrap)
    async with probe.database.begin() as connection:
        await probe.outbox.append(connection, [run_event("after")])
    await until(lambda: probe.seen == ["before", "after"])

    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    elsewhere.stop()
