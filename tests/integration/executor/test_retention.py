"""Old executions are let go; what may still be live, or is not taken, never."""

from datetime import timedelta
from pathlib import Path

from schemas.events import Event
from services.executor.upkeep import RETENTION_SECONDS
from tests.integration.executor.executors import Executor, Neighbours, order, promotion_of, reference_gateway
from tests.integration.executor.test_deadlines import GIVE_UP_SECONDS

KEPT = timedelta(days=90)


async def carry_out(executor: Executor, neighbours: Neighbours, *events: Event, taken: bool = True) -> None:
    await neighbours.execute(*events)
    await executor.receive(*events)
    await executor.work()
    for event in events if taken else ():
        await neighbours.end(promotion_of(event), "completed")
        await neighbours.take_in(promotion_of(event), "gw-1")
    executor.clock.advance(10)
    await executor.upkeep.announce()


async def kept(executor: Executor) -> set[str]:
    return set(await executor.statuses())


async def test_of_each_slot_the_last_success_stays_and_what_is_older_goes_when_it_is_old(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    first, second, third = (order(agent_id="agent") for _ in range(3))
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        for event in (first, second):
            await carry_out(executor, neighbours, event)
        executor.clock.advance(KEPT.total_seconds() - 25)
        rested = await executor.upkeep.forget()
        early = await kept(executor)
        executor.clock.advance(60)
        await carry_out(executor, neighbours, third)
        await executor.upkeep.forget()

    assert rested == RETENTION_SECONDS
    assert early == {str(promotion_of(event)) for event in (first, second)}
    assert await kept(executor) == {str(promotion_of(third))}


async def test_the_live_deployments_execution_is_kept_for_ever(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await carry_out(executor, neighbours, event)
    executor.clock.advance(10 * KEPT.total_seconds())

    await executor.upkeep.forget()

    assert await kept(executor) == {str(promotion_of(event))}


async def test_what_nobody_has_taken_and_what_is_not_fenced_stays(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    untaken, orphaned = order(agent_id="one"), order(agent_id="other")
    lost = {"match": {"method": "PUT", "key": str(promotion_of(orphaned))}, "do": {"fault": "success_then_timeout"}}
    async with reference_gateway(tmp_path, lost) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await carry_out(executor, neighbours, untaken, taken=False)
        await carry_out(executor, neighbours, orphaned, taken=False)
    executor.clock.advance(GIVE_UP_SECONDS)
    await executor.upkeep.give_up()
    await neighbours.end(promotion_of(orphaned), "failed")
    executor.clock.advance(120)
    await executor.upkeep.announce()
    executor.clock.advance(10 * KEPT.total_seconds())

    await executor.upkeep.forget()

    assert await kept(executor) == {str(promotion_of(event)) for event in (untaken, orphaned)}
