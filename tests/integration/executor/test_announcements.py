"""Reports are repeated until those who need them show that they have them."""

from pathlib import Path

from tests.integration.executor.executors import Executor, Neighbours, order, promotion_of, reference_gateway


async def test_a_report_is_repeated_until_promotion_and_inventory_have_taken_it(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()

    counts = [len(await executor.reports())]
    for take in (None, lambda: neighbours.end(promotion_of(event), "completed"), None):
        executor.clock.advance(70)
        await executor.upkeep.announce()
        counts.append(len(await executor.reports()))
        if take is not None:
            await take()
    await neighbours.take_in(promotion_of(event), "gw-1")
    looks = []
    for _ in range(2):
        executor.clock.advance(70)
        await executor.upkeep.announce()
        counts.append(len(await executor.reports()))
        looks.append((await executor.state_of(event)).announcements)

    assert counts == [1, 2, 3, 4, 4, 4]
    assert len(set(await executor.reports())) == 1
    assert (await executor.state_of(event)).taken
    assert looks[0] == looks[1]  # once taken, it is not looked at again


async def test_a_failure_is_taken_when_the_promotion_has_ended(executor: Executor, neighbours: Neighbours) -> None:
    event = order("gw-unregistered")
    await neighbours.execute(event)
    await executor.receive(event)
    executor.clock.advance(15 * 60 + 31)
    await executor.upkeep.give_up()
    await neighbours.end(promotion_of(event), "failed")

    executor.clock.advance(6)
    await executor.upkeep.announce()

    assert (await executor.state_of(event)).taken
    assert len(await executor.reports()) == 1


async def test_what_is_published_of_an_execution_says_where_it_stands(
    executor: Executor, neighbours: Neighbours
) -> None:
    event = order("gw-unregistered")
    await neighbours.execute(event)
    await executor.receive(event)

    await executor.work()

    (row,) = await executor.rows("SELECT * FROM executor.published_execution")
    assert (row.status, row.attempts, row.promotion_id) == ("waiting", 1, promotion_of(event))
    assert row.next_attempt_at > executor.clock.now
    assert "not registered" in row.last_error
