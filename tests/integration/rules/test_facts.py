"""Facts: in any order, once each, before their deployment, from the future, and with their ids used once."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from schemas.events import Event
from services.platform.messaging.consumer import SomeUnprocessable
from tests.integration.rules.conftest import World, measured, only, ran_tests, requested


async def stored(world: World) -> dict[str, str]:
    async with world.database.begin() as connection:
        rows = await connection.execute(text("SELECT field, value FROM rules.fact"))
        return {row.field: row.value for row in rows}


async def test_any_order_of_arrival_gives_the_same_facts(world: World) -> None:
    early = measured("dep-1", at=world.now, identifier="a", error_rate=0.1, p95_latency_ms=5)
    late = measured("dep-1", at=world.now + timedelta(seconds=1), identifier="b", error_rate=0.2)
    tie = measured("dep-1", at=world.now + timedelta(seconds=1), identifier="c", error_rate=0.3)
    for number, order in enumerate(itertools.permutations([early, late, tie])):
        events = [_for_deployment(event, f"dep-{number}") for event in order]
        for event in events[:2]:
            await world.observe(event)
        await world.observe(*events[2:])

    async with world.database.begin() as connection:
        rows = await connection.execute(text("SELECT deployment_id, field, value FROM rules.fact ORDER BY 1, 2"))
        found = [(row.field, row.value) for row in rows]

    assert found == [("metrics.error_rate", "0.3"), ("metrics.p95_latency_ms", "5")] * 6


async def test_a_repeated_event_is_ignored_and_a_reused_id_is_named(world: World) -> None:
    first = measured(at=world.now, identifier="m-1", error_rate=0.1)
    await world.observe(first, first)
    await world.observe(first)
    assert await stored(world) == {"metrics.error_rate": "0.1"}

    with pytest.raises(SomeUnprocessable) as refused:
        await world.observe(
            measured(at=world.now, identifier="m-2", error_rate=0.2),
            measured(at=world.now, identifier="m-1", error_rate=0.9),
            measured(at=world.now, identifier="m-2", error_rate=0.8),
        )

    assert {place: error.code for place, error in refused.value.refused.items()} == {1: "id_reuse", 2: "id_reuse"}
    assert "m-1" in str(refused.value.refused[1])
    assert await stored(world) == {"metrics.error_rate": "0.1"}


async def test_the_same_id_of_another_organization_is_another_event(world: World) -> None:
    await world.observe(measured(at=world.now, identifier="m-1", error_rate=0.1))

    await world.observe(measured(at=world.now, identifier="m-1", organization_id="globex", error_rate=0.9))

    async with world.database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM rules.fact")) == 2


async def test_a_fact_from_the_near_future_replaces_nothing_until_its_time(world: World) -> None:
    await world.observe(measured(at=world.now, error_rate=0.1))
    await world.observe(measured(at=world.now + timedelta(minutes=30), error_rate=0.9))
    await world.early.step()
    assert await stored(world) == {"metrics.error_rate": "0.1"}

    world.after(minutes=25)
    await world.early.step()

    assert await stored(world) == {"metrics.error_rate": "0.9"}


async def test_a_fact_from_the_far_future_is_refused_by_itself(world: World) -> None:
    with pytest.raises(SomeUnprocessable) as refused:
        await world.observe(
            measured(at=world.now, error_rate=0.1), measured(at=world.now + timedelta(hours=25), error_rate=0.9)
        )

    assert [(place, error.code) for place, error in refused.value.refused.items()] == [(1, "future")]


async def test_history_keeps_the_last_value_of_each_minute(world: World) -> None:
    for second, rate in ((0, 0.1), (59, 0.2), (30, 0.9), (60, 0.3)):
        await world.observe(measured(at=world.now + timedelta(seconds=second), error_rate=rate))

    async with world.database.begin() as connection:
        rows = await connection.execute(text("SELECT value FROM rules.fact_history ORDER BY minute"))
        assert [row.value for row in rows] == ["0.2", "0.3"]


async def test_strange_numbers_are_kept_to_the_last_digit_and_break_nothing(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions={"field": "metrics.x", "op": "gt", "value": 1})
    strange = {"x": "1e131071", "y": "-0", "z": "0.10000000000000000000000000001", "n": None}

    await world.observe(measured(at=world.now, **strange))
    await world.request(requested())

    assert await stored(world) == {
        "metrics.x": "1E+131071",
        "metrics.y": "-0",
        "metrics.z": "0.10000000000000000000000000001",
        "metrics.n": "null",
    }
    assert only(await world.evaluations()).conditions == "true"


async def test_a_newer_run_in_progress_makes_the_result_unknown_again(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions={"field": "tests.pass_rate", "op": "eq", "value": 100})
    await world.observe(ran_tests(at=world.now))
    await world.observe(
        ran_tests(at=world.after(minutes=1), run_id="run-2", status="started", passed=None, failed=None)
    )

    await world.request(requested())

    evaluated = only(await world.evaluations())
    assert evaluated.conditions == "unknown"
    assert evaluated.explanation["rules"][0]["tree"]["reason"] == "run_in_progress"


async def test_many_superseded_runs_are_not_loaded(world: World) -> None:
    from services.rules.store.facts import load_runs

    await world.observe(*(ran_tests(at=world.now + timedelta(seconds=n), run_id=f"r{n}") for n in range(20)))

    async with world.database.begin() as connection:
        runs = await load_runs(connection, [("acme", "dep-1")])

    assert [run.run_id for run in runs["acme", "dep-1"]] == ["r19"]


async def test_a_waiting_promotion_proceeds_when_a_fact_makes_its_conditions_true(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions={"field": "metrics.error_rate", "op": "lt", "value": 0.5})
    event = requested()
    await world.request(event)
    await world.look()
    assert only(await world.evaluations()).conditions == "unknown"

    await world.observe(measured(at=world.now, error_rate=0.1))
    await world.look()

    evaluated = only(await world.evaluations())
    assert (evaluated.number, evaluated.conditions) == (2, "true")
    assert evaluated.holds_until == world.now + timedelta(hours=1)


async def test_evidence_that_goes_bad_or_stale_is_told(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions={"field": "metrics.error_rate", "op": "lt", "value": 0.5})
    await world.observe(measured(at=world.now, error_rate=0.1))
    await world.request(requested())
    await world.look()
    assert only(await world.evaluations()).conditions == "true"
    world.after(minutes=30)
    await world.observe(measured(at=world.now, error_rate=0.2))
    await world.look()
    assert await world.evaluations() == []

    world.after(minutes=30)
    await world.look()
    renewed = only(await world.evaluations())
    world.after(minutes=30)
    await world.look()
    stale = only(await world.evaluations())
    await world.observe(measured(at=world.now, error_rate=0.9))
    await world.look()
    bad = only(await world.evaluations())

    assert [(each.number, each.conditions) for each in (renewed, stale, bad)] == [
        (2, "true"),
        (3, "unknown"),
        (4, "false"),
    ]


async def test_a_promotion_that_ended_is_not_evaluated_any_more(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions={"field": "metrics.error_rate", "op": "lt", "value": 0.5})
    event = requested()
    await world.request(event)
    await world.evaluations()
    await world.promotion(event.data.promotion_id, status="rejected", status_reason="cancelled")  # type: ignore[attr-defined]

    await world.observe(measured(at=world.now, error_rate=0.1))
    await world.look()

    assert await world.evaluations() == []


async def test_what_may_go_on_is_let_go_when_it_is_first_looked_at_and_has_gone_on(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions={"field": "metrics.error_rate", "op": "lt", "value": 0.5})
    await world.observe(measured(at=world.now, error_rate=0.1))
    await world.look()
    event = requested()
    await world.request(event)
    await world.evaluations()

    await world.look()
    at_once = await watched(world)
    await world.promotion(event.data.promotion_id, status="approved", status_reason="executing")  # type: ignore[attr-defined]
    world.after(seconds=2)
    await world.look()

    assert (at_once, await watched(world)) == (1, 0)
    assert await world.evaluations() == []


async def watched(world: World) -> int:
    async with world.database.begin() as connection:
        return len((await connection.execute(text("SELECT promotion_id FROM rules.request WHERE watching"))).all())


async def test_facts_of_the_deployment_that_runs_in_the_target_are_compared(world: World) -> None:
    await world.deploy()
    await world.deploy("dep-old", environment="staging", gateway_id="gw-staging", version="0.9", digest=None)
    reference = {"baseline": "target_current", "percent": 10}
    await world.rule(
        requires_approval=False, conditions={"field": "metrics.p95_latency_ms", "op": "lte", "value": reference}
    )
    await world.observe(measured(at=world.now, p95_latency_ms=105))
    await world.request(requested())
    await world.look()
    assert only(await world.evaluations()).conditions == "unknown"

    await world.observe(measured("dep-old", at=world.now, p95_latency_ms=100))
    await world.look()
    await world.look()

    assert only(await world.evaluations()).conditions == "true"


def _for_deployment(event: Event, deployment_id: str) -> Event:
    from dataclasses import replace

    data: Any = event.data
    return replace(
        event, id=f"{event.id}-{deployment_id}", data=data.model_copy(update={"deployment_id": deployment_id})
    )
