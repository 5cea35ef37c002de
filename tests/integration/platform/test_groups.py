"""What consumer groups of several members promise: only Apache Kafka has them."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from schemas.events import Event
from services.platform.messaging.producer import PublishFailed
from studio.local.apache_kafka import ApacheKafka
from tests.integration.platform.conftest import Probe, member, run_event, until

pytestmark = pytest.mark.apache_kafka


def events(first: int, count: int) -> list[Event]:
    return [run_event(f"run-{number}", deployment=f"dep-{number % 48}") for number in range(first, first + count)]


async def test_two_members_of_a_group_share_the_partitions_and_miss_nothing(probe: Probe) -> None:
    seen: dict[str, list[str]] = {"a": [], "b": []}
    members = [member(probe, name, seen[name]) for name in ("a", "b")]
    for consumers in members:
        await consumers.start()

    async def both_work() -> None:
        number = 0
        while not (seen["a"] and seen["b"]):
            await probe.publish(*events(number, 200))
            number += 200
        await until(lambda: len(set(seen["a"] + seen["b"])) == number, seconds=60)

    await asyncio.wait_for(both_work(), 90)

    for consumers in members:
        await consumers.stop()


async def test_a_rebalance_in_mid_stream_loses_nothing(probe: Probe) -> None:
    seen: dict[str, list[str]] = {"a": [], "b": []}
    first, second = (member(probe, name, seen[name], pause_seconds=0.05) for name in ("a", "b"))
    await first.start()
    await probe.publish(*events(0, 3000))
    await until(lambda: len(seen["a"]) > 100)

    await second.start()
    await probe.publish(*events(3000, 3000))
    await until(lambda: bool(seen["b"]), seconds=60)
    await first.stop()
    await until(lambda: len(set(seen["a"] + seen["b"])) == 6000, seconds=60)

    await second.stop()
    again = [identifier for identifier, times in Counter(seen["a"] + seen["b"]).items() if times > 1]
    assert set(again) <= set(seen["a"]), "only what the first one was still at may come twice"


async def test_a_broker_that_restarts_interrupts_and_loses_nothing(probe: Probe, own_apache_kafka: ApacheKafka) -> None:
    seen: list[str] = []
    consumers = member(probe, "a", seen)
    await consumers.start()
    await probe.publish(*events(0, 500))
    await until(lambda: len(set(seen)) == 500, seconds=60)

    await asyncio.to_thread(own_apache_kafka.restart)
    await publish_until_taken(probe, events(500, 500))
    await until(lambda: len(set(seen)) == 1000, seconds=90)

    await consumers.stop()


async def publish_until_taken(probe: Probe, batch: Sequence[Event]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await probe.publish(*batch)
            except PublishFailed:
                await asyncio.sleep(0.2)
            else:
                return
