"""Gateways side by side: none holds back another, and each slot takes one execution at a time."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from studio.gateway import read_log
from studio.gateway.records import RequestReceived
from tests.integration.executor.executors import (
    START,
    Executor,
    Neighbours,
    order,
    promotion_of,
    reference_gateway,
)


def calls(log: Path) -> list[RequestReceived]:
    return [item for item in read_log(log) if isinstance(item, RequestReceived)]


async def test_a_gateway_that_hangs_does_not_delay_another(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    stuck = [order("gw-hanging") for _ in range(50)]
    quick = [order("gw-quick") for _ in range(50)]
    async with (
        reference_gateway(tmp_path, {"do": {"fault": "hang"}}, gateway_id="gw-hanging") as hanging,
        reference_gateway(tmp_path, gateway_id="gw-quick") as answering,
    ):
        await neighbours.register("gw-hanging", hanging.url)
        await neighbours.register("gw-quick", answering.url)
        await neighbours.execute(*stuck, *quick)
        await executor.receive(*stuck, *quick)

        rounds = 0
        async with asyncio.timeout(0.25):  # less than the hanging gateway's time-out
            while len(await executor.reports()) < len(quick):
                executor.worker.wake.clear()
                await executor.worker.round()
                rounds += 1
                await asyncio.sleep(0)
        statuses = await executor.statuses()
        await executor.work()

    assert {statuses[str(promotion_of(event))] for event in quick} == {"succeeded"}
    assert "succeeded" not in {statuses[str(promotion_of(event))] for event in stuck}


@pytest.mark.parametrize("count", [5, 30])
async def test_a_gateway_that_is_away_is_called_seldom_and_all_is_done_soon_after_it_is_back(
    executor: Executor, neighbours: Neighbours, tmp_path: Path, count: int
) -> None:
    events = [order() for _ in range(count)]
    async with reference_gateway(tmp_path, {"do": {"fault": "status", "status": 503}}) as gateway:
        await neighbours.register("gw-1", gateway.url, concurrency=8)
        await neighbours.execute(*events)
        await executor.receive(*events)
        await executor.work_on(seconds=600, step_seconds=4)
        calls_while_away = len(calls(gateway.log))

    async with reference_gateway(tmp_path, port=gateway.port):
        await executor.work_on(seconds=6)

    assert calls_while_away < 8 + 600 / 4
    assert set((await executor.statuses()).values()) == {"succeeded"}


async def test_a_gateway_that_asks_for_patience_is_not_called_before_it_is_over(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    events = [order() for _ in range(6)]
    busy = {"match": {"method": "PUT", "nth": 1}, "do": {"fault": "status", "status": 503, "retry_after_seconds": 20}}
    async with reference_gateway(tmp_path, busy) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(*events)
        await executor.receive(*events)
        await executor.work()

        await executor.work_on(seconds=19)
        meanwhile = len(calls(gateway.log))
        await executor.work_on(seconds=6)

    assert meanwhile == 6
    assert set((await executor.statuses()).values()) == {"succeeded"}


async def test_no_more_calls_are_under_way_than_a_gateway_takes(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    events = [order() for _ in range(6)]
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 200}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url, concurrency=2)
        await neighbours.execute(*events)
        await executor.receive(*events)

        await executor.worker.round()
        async with asyncio.timeout(5):
            while not calls(gateway.log):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        at_first = len(calls(gateway.log))
        await executor.work()
        await executor.work()

    assert at_first == 2
    assert set((await executor.statuses()).values()) == {"succeeded"}


async def test_executions_of_one_slot_follow_one_another_in_the_order_in_which_they_began(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    later = order(agent_id="agent-x", executing_at=START + timedelta(seconds=1))
    earlier = order(agent_id="agent-x", executing_at=START)
    fault = {"match": {"method": "PUT", "key": str(promotion_of(earlier)), "nth": 1}, "do": {"fault": "hang"}}
    async with reference_gateway(tmp_path, fault) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(later, earlier)
        await executor.receive(later, earlier)

        await executor.work()
        meanwhile = await executor.state_of(later)
        await executor.work_on(seconds=3)

    keys = [item.key for item in calls(gateway.log)]
    assert (meanwhile.status, meanwhile.attempts) == ("waiting", 0)
    assert keys == [str(promotion_of(earlier))] * 3 + [str(promotion_of(later))]


async def test_an_earlier_order_that_arrives_late_waits_for_the_one_that_is_being_called(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    later = order(agent_id="agent-x", executing_at=START + timedelta(seconds=1))
    earlier = order(agent_id="agent-x", executing_at=START)
    slow = {"match": {"method": "PUT", "key": str(promotion_of(later))}, "do": {"fault": "slow", "delay_ms": 100}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(later, earlier)
        await executor.receive(later)
        await executor.worker.round()
        await executor.receive(earlier)

        await executor.worker.round()
        meanwhile = await executor.state_of(earlier)
        await executor.work()
        await executor.work()

    assert meanwhile.status == "waiting"
    assert set((await executor.statuses()).values()) == {"succeeded"}
