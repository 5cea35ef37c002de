"""Kafka answers a fetch of nothing late, so that idle consumers cost little; nothing that comes may wait for that."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event
from tests.integration.platform.conftest import Probe, member, run_event, until

# Less than a fetch of nothing takes, and more than anything else here.
AT_ONCE_SECONDS = 1.0


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

    asked_at = time.monotonic()
    await probe.publish(run_event("after-it"))
    await until(lambda: len(began) == 3)

    assert time.monotonic() - asked_at < AT_ONCE_SECONDS
    await consumers.stop()


async def test_what_comes_on_any_partition_is_taken_at_once(probe: Probe) -> None:
    seen: list[str] = []
    consumers = member(probe, "a", seen)
    await consumers.start()
    await probe.publish(run_event("first"))
    await until(lambda: len(seen) == 1)

    asked_at = time.monotonic()
    for number in range(20):
        await probe.publish(run_event(f"run-{number}", deployment=f"dep-{number}"))
        await until(lambda number=number: f"run-{number}" in seen)

    assert time.monotonic() - asked_at < 2 * AT_ONCE_SECONDS
    await consumers.stop()


async def test_stopping_does_not_wait_for_what_kafka_has_not_answered(probe: Probe) -> None:
    seen: list[str] = []
    consumers = member(probe, "a", seen)
    await consumers.start()
    await probe.publish(run_event("first"))
    await until(lambda: len(seen) == 1)

    asked_at = time.monotonic()
    await consumers.stop()

    assert time.monotonic() - asked_at < AT_ONCE_SECONDS
