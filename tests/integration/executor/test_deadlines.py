"""Deadlines: failed means that nothing is live, or that an orphan is recorded and fenced on."""

import json
from pathlib import Path

from studio.gateway import folded_state
from tests.integration.executor.executors import Executor, Neighbours, order, promotion_of, reference_gateway

DEADLINE_SECONDS = 15 * 60.0
GIVE_UP_SECONDS = DEADLINE_SECONDS + 31


async def report_of(executor: Executor) -> dict[str, str]:
    ((_, value),) = await executor.reports()
    report: dict[str, str] = json.loads(value)
    return report


async def test_at_the_deadline_a_doubtful_execution_is_fenced_and_timed_out(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    rules = (
        {"match": {"method": "PUT"}, "do": {"fault": "success_then_timeout"}},
        {"match": {"method": "GET"}, "do": {"fault": "status", "status": 500}},
    )
    async with reference_gateway(tmp_path, *rules) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()

        executor.clock.advance(DEADLINE_SECONDS)
        await executor.work()

    report = await report_of(executor)
    assert (report["status"], report["error_code"]) == ("failed", "timed_out")
    assert folded_state(gateway.log).live_by_slot() == {}
    assert folded_state(gateway.log).fenced == {str(promotion_of(event))}
    assert await executor.rows("SELECT * FROM executor.orphan") == []


async def test_a_retry_never_waits_past_the_deadline(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    fault = {"fault": "status", "status": 429, "retry_after_seconds": 86_400}
    async with reference_gateway(tmp_path, {"do": fault}) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)

        await executor.work()

    state = await executor.state_of(event)
    assert state.due_at == state.deadline_at


async def test_an_unreachable_gateway_leaves_an_orphan_that_is_fenced_when_it_is_back(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    fault = {"match": {"method": "PUT"}, "do": {"fault": "success_then_timeout"}}
    async with reference_gateway(tmp_path, fault) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()
    await executor.work_on(seconds=5)
    executor.clock.advance(GIVE_UP_SECONDS)
    await executor.upkeep.give_up()
    await executor.upkeep.fence_orphans()
    (abandoned,) = await executor.rows("SELECT * FROM executor.orphan")

    async with reference_gateway(tmp_path, port=gateway.port) as gateway:
        live_again = set(folded_state(gateway.log).deployments)
        executor.clock.advance(120)
        await executor.upkeep.fence_orphans()

    (orphan,) = await executor.rows("SELECT * FROM executor.orphan")
    report = await report_of(executor)
    assert (report["status"], report["error_code"]) == ("failed", "gateway_unreachable")
    assert (abandoned.fenced_at, abandoned.attempts) == (None, 1)
    assert live_again == {str(promotion_of(event))}
    assert orphan.fenced_at is not None
    assert folded_state(gateway.log).deployments == {}


async def test_what_was_never_sent_fails_at_the_deadline_without_an_orphan(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
    await neighbours.execute(event)
    await executor.receive(event)
    await executor.work()

    executor.clock.advance(DEADLINE_SECONDS)
    await executor.work()

    report = await report_of(executor)
    assert (report["status"], report["error_code"]) == ("failed", "gateway_unreachable")
    assert await executor.rows("SELECT * FROM executor.orphan") == []


async def test_giving_up_twice_reports_once(executor: Executor, neighbours: Neighbours) -> None:
    event = order("gw-unregistered")
    await neighbours.execute(event)
    await executor.receive(event)
    executor.clock.advance(GIVE_UP_SECONDS)

    await executor.upkeep.give_up()
    await executor.upkeep.give_up()

    assert (await report_of(executor))["error_code"] == "gateway_unreachable"


async def test_an_execution_that_another_process_holds_is_not_given_up(
    executor: Executor, neighbours: Neighbours
) -> None:
    event = order("gw-unregistered")
    await neighbours.execute(event)
    await executor.receive(event)
    executor.clock.advance(GIVE_UP_SECONDS)
    await executor.rows(
        "UPDATE executor.execution SET status = 'calling', leased = true, epoch = 1, "
        f"due_at = '{executor.clock.now.isoformat()}'::timestamptz + interval '3 seconds' RETURNING 1"
    )

    await executor.upkeep.give_up()
    held = await executor.statuses()
    executor.clock.advance(4)
    await executor.upkeep.give_up()

    (orphan,) = await executor.rows("SELECT promotion_id, fencing_token FROM executor.orphan")
    assert set(held.values()) == {"calling"}
    assert set((await executor.statuses()).values()) == {"failed"}
    assert (orphan.promotion_id, orphan.fencing_token) == (promotion_of(event), 2)
