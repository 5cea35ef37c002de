"""Clocks that were set back, or differ between machines: what succeeded last in a slot is dated last."""

import json
from datetime import datetime
from pathlib import Path

from tests.integration.executor.executors import Executor, Neighbours, order, reference_gateway


async def _dates(executor: Executor) -> list[datetime]:
    return [datetime.fromisoformat(json.loads(value)["deployed_at"]) for _, value in await executor.reports()]


async def test_a_success_is_never_dated_before_the_one_that_it_replaced(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    first, second = order(agent_id="agent-1"), order(agent_id="agent-1")
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(first, second)
        await executor.receive(first)
        await executor.work()
        executor.clock.advance(-30)

        await executor.receive(second)
        await executor.work()

    earlier, later = await _dates(executor)
    assert earlier < later


async def test_a_date_far_in_the_future_is_not_followed(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    first, second = order(agent_id="agent-1"), order(agent_id="agent-1")
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(first, second)
        await executor.receive(first)
        await executor.work()
        executor.clock.advance(-3600)

        await executor.receive(second)
        await executor.work()

    _, later = await _dates(executor)
    assert later == executor.clock.now
