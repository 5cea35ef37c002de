"""Clocks that were set back, or differ between machines: what succeeded last in a slot is dated last."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from studio.gateway import folded_state, read_log
from studio.gateway.records import FaultApplied, RequestReceived
from tests.integration.executor.executors import (
    Executor,
    Neighbours,
    order,
    promotion_of,
    reference_gateway,
    until_logged,
)


async def _dates(executor: Executor, neighbours: Neighbours, folder: Path, *, jump_seconds: float) -> list[datetime]:
    """Give the dates of two successes in one slot, between which the clock jumps."""
    first, second = order(agent_id="agent-1"), order(agent_id="agent-1")
    async with reference_gateway(folder) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(first, second)
        await executor.receive(first)
        await executor.work()
        executor.clock.advance(jump_seconds)

        await executor.receive(second)
        await executor.work()
    return [datetime.fromisoformat(json.loads(value)["deployed_at"]) for _, value in await executor.reports()]


async def test_a_success_is_never_dated_before_the_one_that_it_replaced(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    earlier, later = await _dates(executor, neighbours, tmp_path, jump_seconds=-30)

    assert earlier < later


async def test_a_date_far_in_the_future_is_not_followed(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    _, later = await _dates(executor, neighbours, tmp_path, jump_seconds=-3600)

    assert later == executor.clock.now


@pytest.mark.parametrize("jump_seconds", [3600, -3600])
async def test_a_clock_that_jumps_an_hour_in_the_middle_of_a_call_makes_no_second_deployment(
    executor: Executor, neighbours: Neighbours, tmp_path: Path, jump_seconds: float
) -> None:
    event = order()
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 150}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.worker.round()
        await until_logged(gateway.log, FaultApplied)

        executor.clock.advance(jump_seconds)
        await executor.work()
        await executor.work_on(seconds=5)

    assert await executor.statuses() == {str(promotion_of(event)): "succeeded"}
    assert len(await executor.reports()) == 1
    assert len(folded_state(gateway.log).deployments) == 1


@pytest.mark.parametrize("jump_seconds", [3600, -3600])
async def test_what_a_crashed_executor_held_is_ended_once_by_one_whose_clock_was_an_hour_off(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path, jump_seconds: float
) -> None:
    event, crashed, successor = order(), new_executor(), new_executor()
    lost = {"match": {"method": "PUT", "nth": 1}, "do": {"fault": "success_then_timeout"}}
    async with reference_gateway(tmp_path, lost) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await crashed.receive(event)
        await crashed.worker.round()
        await until_logged(gateway.log, FaultApplied)
        await crashed.crash()

        successor.clock.advance(jump_seconds)
        await successor.work()
        successor.clock.advance(-jump_seconds)
        await successor.work_on(seconds=10)
        # What was given up while the clock was ahead is due by that clock.
        successor.clock.advance(3600)
        await successor.upkeep.fence_orphans()

    (status,) = (await successor.statuses()).values()
    live = folded_state(gateway.log).live_by_slot()
    assert (status == "succeeded") == (len(live) == 1)
    assert len(await successor.reports()) == 1
    assert [item.method for item in read_log(gateway.log) if isinstance(item, RequestReceived)].count("PUT") == 1
