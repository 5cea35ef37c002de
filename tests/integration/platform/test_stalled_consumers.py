"""Consumers whose tasks die without a word: the service is not ready, and ends, so that it is started again."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event
from schemas.topics import DEPLOYMENT_COMPLETED
from services.inventory.app import build_service
from services.platform.messaging.consumer import Consumers, ConsumersStalled
from tests.integration.platform.conftest import TOPIC, Probe, run_event, until

QUICK_LOOK_SECONDS = 0.1


def kill(consumers: Consumers, topic: str) -> None:
    """End the task that consumes ``topic``, as an error that nobody handles would."""
    for task in consumers._subscribers[topic].tasks:
        task.cancel()


async def apply_nothing(_connection: AsyncConnection, _events: Sequence[Event], _now: datetime) -> None:
    return None


async def test_a_consumer_whose_task_died_is_noticed(probe: Probe) -> None:
    consumers = probe.consumers(apply_nothing)
    consumers.look_seconds = QUICK_LOOK_SECONDS
    await consumers.start()
    watching = asyncio.create_task(consumers.until_stalled())

    await asyncio.sleep(20 * QUICK_LOOK_SECONDS)
    unharmed = not watching.done()
    kill(consumers, TOPIC)

    with pytest.raises(ConsumersStalled, match=TOPIC):
        await asyncio.wait_for(watching, 10)
    assert unharmed
    await consumers.stop()


async def test_a_batch_that_takes_its_time_is_not_taken_for_a_dead_consumer(probe: Probe) -> None:
    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        await asyncio.sleep(20 * QUICK_LOOK_SECONDS)
        probe.seen.extend(event.id for event in events)

    consumers = probe.consumers(apply)
    consumers.look_seconds = QUICK_LOOK_SECONDS
    await probe.publish(run_event("slow"))
    await consumers.start()
    watching = asyncio.create_task(consumers.until_stalled())

    await until(lambda: probe.seen == ["slow"])

    assert not watching.done()
    watching.cancel()
    await consumers.stop()


async def test_a_service_with_a_dead_consumer_is_not_ready_and_ends(probe: Probe) -> None:
    service = build_service(probe.settings)
    service._consumers.look_seconds = QUICK_LOOK_SECONDS
    running = asyncio.create_task(service.run(asyncio.Event()))
    async with asyncio.timeout(20):
        while not (await service.readiness()).ready:
            await asyncio.sleep(0.02)

    service._consumers.look_seconds = 0.5
    kill(service._consumers, DEPLOYMENT_COMPLETED)
    async with asyncio.timeout(20):
        while (trouble := (await service.readiness()).trouble) == ():
            await asyncio.sleep(0.05)

    assert trouble == (f"kafka: {DEPLOYMENT_COMPLETED} is not polled",)
    with pytest.raises(ConsumersStalled):
        await asyncio.wait_for(running, 20)
