"""Leases: crashes, pauses and takeovers between a gateway's success and the commit."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from schemas.vocabulary import StatusReason
from services.executor import handlers
from services.executor.domain.course import Failed, Succeeded
from services.executor.domain.settlements import Result
from services.executor.store import leases
from services.executor.store.leases import Wanted
from services.executor.worker import LEASE
from studio.gateway import folded_state, read_log
from studio.gateway.records import FaultApplied, RequestReceived
from tests.integration.executor.executors import (
    ORGANIZATION,
    Executor,
    Neighbours,
    order,
    promotion_of,
    reference_gateway,
    until_logged,
)


async def test_after_a_crash_between_success_and_commit_the_key_is_looked_up(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    event, crashing, successor = order(), new_executor(), new_executor()
    slow_answer = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 200, "when": "after_effect"}}
    async with reference_gateway(tmp_path, slow_answer) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await crashing.receive(event)
        await crashing.worker.round()
        await until_logged(gateway.log, FaultApplied)
        await crashing.crash()

        await successor.work()
        before_lease_end = await successor.statuses()
        successor.clock.advance(6)
        await successor.work()

    key = str(promotion_of(event))
    methods = [item.method for item in read_log(gateway.log) if isinstance(item, RequestReceived)]
    assert before_lease_end == {key: "calling"}
    assert await successor.statuses() == {key: "succeeded"}
    assert methods == ["PUT", "GET"]
    assert len(await successor.reports()) == 1


async def test_a_paused_executor_writes_nothing_over_its_successor(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    event, paused, successor = order(), new_executor(), new_executor()
    slow = {"match": {"method": "PUT", "nth": 1}, "do": {"fault": "slow", "delay_ms": 150}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await paused.receive(event)
        await paused.worker.round()
        await until_logged(gateway.log, FaultApplied)

        successor.clock.advance(6)
        await successor.work()
        reported = await successor.reports()
        await paused.work()

    state = await successor.state_of(event)
    assert (state.status, state.epoch) == ("succeeded", 2)
    assert await successor.reports() == reported
    assert len(folded_state(gateway.log).deployments) == 1


async def test_a_paused_executor_writes_nothing_while_its_successor_is_calling(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    event, paused, successor = order(), new_executor(), new_executor()
    rules = (
        {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 100}},
        {"match": {"method": "GET"}, "do": {"fault": "slow", "delay_ms": 280}},
    )
    async with reference_gateway(tmp_path, *rules) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await paused.receive(event)
        await paused.worker.round()
        await until_logged(gateway.log, FaultApplied)

        successor.clock.advance(6)
        await successor.worker.round()
        await paused.work()
        meanwhile, reported = await successor.state_of(event), await successor.reports()
        await successor.work()
        await successor.work_on(seconds=2)

    assert (meanwhile.status, meanwhile.epoch, reported) == ("looking_up", 2, [])
    assert (await successor.state_of(event)).status == "succeeded"
    assert len(await successor.reports()) == 1


async def test_a_lease_is_prolonged_while_a_slow_gateway_takes_its_time(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    event, holder, other = order(), new_executor(), new_executor()
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 200}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await holder.receive(event)
        await holder.worker.round()

        for _ in range(3):
            holder.clock.advance(3)
            await holder.worker.round()
            await other.work()
        await holder.work()

    assert (await holder.state_of(event)).epoch == 1
    assert await holder.statuses() == {str(promotion_of(event)): "succeeded"}


async def test_a_call_that_ends_while_its_lease_is_found_lost_harms_no_other_execution(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    event, later, holder = order(), order("gw-2"), new_executor()
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 150}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.register("gw-2", gateway.url)
        await neighbours.execute(event, later)
        await holder.receive(event)
        await holder.worker.round()
        await holder.receive(later)
        holder.clock.advance(3)

        async with holder.database.begin() as successor:
            await successor.execute(text("UPDATE executor.execution SET epoch = epoch + 1 WHERE gateway_id = 'gw-1'"))
            holder.worker.wake.clear()
            renewing = asyncio.create_task(holder.worker.round())
            await asyncio.wait_for(holder.worker.wake.wait(), 5)
        await renewing

        assert {key[1] for key in holder.worker._tasks} == {promotion_of(later)}
        await holder.crash()


async def test_of_two_outcomes_of_one_execution_that_of_the_lost_lease_is_not_reported(
    executor: Executor, neighbours: Neighbours
) -> None:
    event = order("gw-unregistered")
    await neighbours.execute(event)
    await executor.receive(event)
    wanted = [Wanted(ORGANIZATION, "gw-unregistered", 1, probe=False, url=None, credential=None)]

    async with executor.database.begin() as connection:
        held = []
        for _ in range(2):
            now = executor.clock()
            held += await leases.claim(connection, wanted, now=now, lease_until=now + LEASE)
            executor.clock.advance(6)
        late = Result(held[0], Failed(StatusReason.GATEWAY_REFUSED, "too late to be heard"), executor.clock())
        last = Result(held[1], Succeeded(), executor.clock())
        settled = await handlers.settle(
            connection, [late, last], outbox=executor.outbox, announce_after=LEASE, now=executor.clock()
        )

    assert settled == [last]
    ((_, report),) = await executor.reports()
    assert json.loads(report)["status"] == "succeeded"


@pytest.fixture
async def loaded(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> AsyncIterator[tuple[Executor, Executor]]:
    """An executor that has two executions done, two under way and four not begun; and one that may take over."""
    events = [order() for _ in range(8)]
    holder, successor = new_executor(), new_executor()
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 150}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url, concurrency=2)
        await neighbours.execute(*events)
        await holder.receive(*events)
        await holder.worker.round()
        async with asyncio.timeout(5):
            while len(holder.worker._results) < 2:
                await asyncio.sleep(0.01)
        await holder.worker.round()
        yield holder, successor


async def test_draining_gives_back_at_once_what_was_claimed_and_not_begun(loaded: tuple[Executor, Executor]) -> None:
    stopping, successor = loaded

    loop = asyncio.create_task(rounds(stopping))
    await stopping.worker.drain()
    loop.cancel()
    left = await stopping.rows("SELECT status, attempts, leased FROM executor.execution ORDER BY status")
    await successor.work()

    assert [tuple(row) for row in left] == [("succeeded", 1, False)] * 4 + [("waiting", 0, False)] * 4
    assert set((await successor.statuses()).values()) == {"succeeded"}
    assert len(await successor.reports()) == 8


async def test_what_was_not_begun_when_its_lease_was_lost_is_not_begun_any_more(
    loaded: tuple[Executor, Executor],
) -> None:
    holder, successor = loaded
    holder.clock.advance(3)
    await successor.rows("UPDATE executor.execution SET epoch = epoch + 1 WHERE leased RETURNING 1")

    await holder.worker.round()
    await asyncio.gather(*holder.worker._tasks.values(), return_exceptions=True)
    begun = dict(holder.worker._tasks)
    await holder.worker.round()
    successor.clock.advance(6)
    await successor.work_on(seconds=2)

    assert (begun, holder.worker.busy) == ({}, False)
    assert set((await successor.statuses()).values()) == {"succeeded"}
    assert len(await successor.reports()) == 8


async def test_draining_finishes_what_is_called_and_gives_back_what_is_not_begun(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    events = [order() for _ in range(3)]
    stopping, successor = new_executor(), new_executor()
    slow = {"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 100}}
    async with reference_gateway(tmp_path, slow) as gateway:
        await neighbours.register("gw-1", gateway.url, concurrency=1)
        await neighbours.execute(*events)
        await stopping.receive(*events)
        await stopping.worker.round()

        loop = asyncio.create_task(rounds(stopping))
        await stopping.worker.drain()
        loop.cancel()
        left = sorted((await successor.statuses()).values())
        await successor.work()

    assert left == ["succeeded", "waiting", "waiting"]
    assert sorted((await successor.statuses()).values()) == ["succeeded"] * 3
    assert len(await successor.reports()) == 3


async def rounds(executor: Executor) -> None:
    while True:
        executor.worker.wake.clear()
        await executor.worker.round()
        await executor.worker.wake.wait()


async def test_two_executors_share_the_work_without_doing_any_of_it_twice(
    new_executor: Callable[[], Executor], neighbours: Neighbours, tmp_path: Path
) -> None:
    events = [order() for _ in range(100)]
    first, second = new_executor(), new_executor()
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(*events)
        await first.receive(*events)

        await asyncio.gather(first.work(), second.work())
        await asyncio.gather(first.work(), second.work())

    puts = [item for item in read_log(gateway.log) if isinstance(item, RequestReceived)]
    assert set((await first.statuses()).values()) == {"succeeded"}
    assert len(puts) == 100
    assert len(await first.reports()) == 100


async def test_the_end_of_an_execution_is_final_in_the_database(executor: Executor, neighbours: Neighbours) -> None:
    event = order("gw-unregistered")
    await neighbours.execute(event)
    await executor.receive(event)
    executor.clock.advance(15 * 60 + 31)
    await executor.upkeep.give_up()

    with pytest.raises(IntegrityError, match="is final"):
        await executor.rows(
            "UPDATE executor.execution SET status = 'waiting', finished_at = NULL RETURNING promotion_id"
        )
