"""Gateways that change their address, or go, while executions are under way: whoever was called is asked and fenced."""

from pathlib import Path

from studio.gateway import folded_state, read_log
from studio.gateway.records import RequestReceived
from tests.integration.executor.executors import Executor, Neighbours, order, promotion_of, reference_gateway
from tests.integration.executor.test_deadlines import DEADLINE_SECONDS, GIVE_UP_SECONDS

LOST_ANSWER = {"match": {"method": "PUT"}, "do": {"fault": "success_then_timeout"}}


def methods(log: Path) -> list[str]:
    return [item.method for item in read_log(log) if isinstance(item, RequestReceived)]


async def test_an_answer_that_was_lost_is_looked_up_where_the_call_went(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with (
        reference_gateway(tmp_path / "old", LOST_ANSWER) as old,
        reference_gateway(tmp_path / "new") as new,
    ):
        await neighbours.register("gw-1", old.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()

        await neighbours.register("gw-1", new.url)
        await executor.work_on(seconds=5)

    assert await executor.statuses() == {str(promotion_of(event)): "succeeded"}
    assert methods(old.log) == ["PUT", "GET"]
    assert methods(new.log) == []


async def test_a_fence_goes_where_the_call_went(executor: Executor, neighbours: Neighbours, tmp_path: Path) -> None:
    event = order()
    silent = {"match": {"method": "GET"}, "do": {"fault": "status", "status": 500}}
    async with (
        reference_gateway(tmp_path / "old", LOST_ANSWER, silent) as old,
        reference_gateway(tmp_path / "new") as new,
    ):
        await neighbours.register("gw-1", old.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()

        await neighbours.register("gw-1", new.url)
        executor.clock.advance(DEADLINE_SECONDS)
        await executor.work()

    assert await executor.statuses() == {str(promotion_of(event)): "failed"}
    assert folded_state(old.log).fenced == {str(promotion_of(event))}
    assert folded_state(old.log).live_by_slot() == {}
    assert methods(new.log) == []


async def test_the_old_address_is_asked_with_the_credential_that_was_its_own(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with (
        reference_gateway(tmp_path / "old", LOST_ANSWER, credential="of-the-old") as old,
        reference_gateway(tmp_path / "new", credential="of-the-new") as new,
    ):
        await neighbours.register("gw-1", old.url, credential="of-the-old")
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()

        await neighbours.register("gw-1", new.url, credential="of-the-new")
        await executor.work_on(seconds=5)

    state = await executor.state_of(event)
    assert (state.status, methods(new.log)) == ("succeeded", [])
    assert state.called_credential is None


async def test_a_credential_that_was_corrected_is_used_at_the_same_address(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with reference_gateway(tmp_path / "first", LOST_ANSWER, credential="one") as gateway:
        await neighbours.register("gw-1", gateway.url, credential="one")
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()
    async with reference_gateway(tmp_path / "first", port=gateway.port, credential="two") as gateway:
        await neighbours.register("gw-1", gateway.url, credential="two")
        await executor.work_on(seconds=5)

    assert await executor.statuses() == {str(promotion_of(event)): "succeeded"}


async def test_what_never_arrived_goes_to_the_new_address(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    await neighbours.register("gw-1", "http://127.0.0.1:9")
    await neighbours.execute(event)
    await executor.receive(event)
    await executor.work()

    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await executor.work_on(seconds=5)

    assert await executor.statuses() == {str(promotion_of(event)): "succeeded"}


async def test_an_orphan_is_fenced_where_the_call_went_also_when_its_gateway_is_gone(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    silent = {"match": {"method": "GET"}, "do": {"fault": "status", "status": 500}}
    async with reference_gateway(tmp_path, LOST_ANSWER, silent, credential="its own") as gateway:
        await neighbours.register("gw-1", gateway.url, credential="its own")
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()
        executor.clock.advance(GIVE_UP_SECONDS)
        await executor.upkeep.give_up()

        await neighbours.forget("gw-1")
        await executor.upkeep.fence_orphans()

    (orphan,) = await executor.rows("SELECT * FROM executor.orphan")
    assert orphan.fenced_at is not None
    assert folded_state(gateway.log).fenced == {str(promotion_of(event))}
    assert (await executor.state_of(event)).called_credential is None


async def test_an_old_address_that_is_dead_does_not_rest_the_new_one(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    doubtful = [order() for _ in range(6)]
    async with reference_gateway(tmp_path / "old", LOST_ANSWER) as old:
        await neighbours.register("gw-1", old.url)
        await neighbours.execute(*doubtful)
        await executor.receive(*doubtful)
        await executor.work()
    fresh = order()
    async with reference_gateway(tmp_path / "new") as new:
        await neighbours.register("gw-1", new.url)
        executor.clock.advance(5)
        await executor.work()
        await neighbours.execute(fresh)
        await executor.receive(fresh)
        await executor.work()

    assert (await executor.statuses())[str(promotion_of(fresh))] == "succeeded"
    assert (await executor.state_of(doubtful[0])).status == "looking_up"
