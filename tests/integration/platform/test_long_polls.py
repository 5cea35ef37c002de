"""Kafka answers a fetch of nothing late, so that idle consumers cost little; nothing that comes may wait for that."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event
from services.platform.messaging import consumer
from tests.integration.platform.conftest import Probe, member, run_event, until

pytestmark = pytest.mark.apache_kafka


@pytest.fixture(autouse=True)
def _a_fetch_of_nothing_takes_longer_than_any_wait_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LONG_POLL_MS", 60_000)


async def test_what_follows_a_slow_batch_on_one_partition_is_taken_at_once(probe: Probe) -> None:
    began: list[str] = []

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        began.extend(event.id for event in events)
        await asyncio.sleep(0.4 if began == ["slow"] else 0.0)

    consumers = probe.consumers(apply)
    await consumers.start()
    await probe.publish(run_event("slow"))
    await until(lambda: began == ["slow"])
    await probe.publish(run_event("fetched-meanwhile"))
    await until(lambda: len(began) == 2)

    await probe.publish(run_event("after-it"))

    await until(lambda: len(began) == 3)
    await consumers.stop()


async def test_what_comes_on_any_partition_is_taken_at_once(probe: Probe) -> None:
    seen: list[str] = []
    consumers = member(probe, "a", seen)
    await consumers.start()
    await probe.publish(run_event("first"))
    await until(lambda: len(seen) == 1)

    for number in range(20):
        await probe.publish(run_event(f"run-{number}", deployment=f"dep-{number}"))
        await until(lambda number=number: f"run-{number}" in seen)
    await consumers.stop()


async def test_stopping_does_not_wait_for_what_kafka_has_not_answered(probe: Probe) -> None:
    seen: list[str] = []
    consumers = member(probe, "a", seen)
    await consumers.start()
    await probe.publish(run_event("first"))
    await until(lambda: len(seen) == 1)

    async with asyncio.timeout(20):
        await consumers.stop()
