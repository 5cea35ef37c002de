"""How long the worker rests: what comes wakes it, what waits for a time is looked for."""

from collections.abc import Callable
from pathlib import Path

from services.executor.worker import IDLE_SECONDS, POLL_SECONDS
from tests.integration.executor.executors import Executor, Neighbours, order, reference_gateway


async def test_a_worker_looks_often_while_anything_is_unfinished_and_seldom_while_nothing_is(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    event, executor = order(), new_executor()
    refusing_once = {"match": {"method": "PUT", "nth": 1}, "do": {"fault": "status", "status": 503}}
    async with reference_gateway(tmp_path, refusing_once) as gateway:
        await neighbours.register("gw-1", gateway.url)
        before = await executor.worker.round()
        await neighbours.execute(event)
        await executor.receive(event)

        await executor.work()
        waiting = await executor.worker.round()
        await executor.work_on(seconds=5)
        after = await executor.worker.round()

    assert (before, waiting, after) == (IDLE_SECONDS, POLL_SECONDS, IDLE_SECONDS)
    assert set((await executor.statuses()).values()) == {"succeeded"}
