"""Rules that promote by themselves: on facts, on their own change, on the clock; once, in measure, not against a no."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from schemas.resources import RuleWrite
from schemas.vocabulary import Origin
from services.rules.handlers.recheck import Lookout
from services.rules.handlers.rules import create_rule, delete_rule, replace_rule
from services.rules.handlers.trigger import MEASURE
from tests.integration.rules.conftest import World, announced, measured, only, ran_tests, requested

PASSED: dict[str, Any] = {"field": "tests.pass_rate", "op": "gte", "value": 100}
SOAKED: dict[str, Any] = {"field": "deployment.duration_hours", "op": "gte", "value": 24}
QUIET: dict[str, Any] = {"field": "metrics.error_rate", "op": "lte", "value": 0.01}


def written(**fields: Any) -> RuleWrite:
    return RuleWrite(name="rule", source_environment="development", target_environment="staging", **fields)


async def automatic(world: World, conditions: dict[str, Any] = PASSED, **fields: Any) -> Any:
    return await world.rule(auto_promote=True, requires_approval=False, conditions=conditions, **fields)


async def test_a_fact_that_completes_the_conditions_starts_the_promotion(world: World) -> None:
    await world.deploy()
    rule = await automatic(world, {"all": [PASSED, QUIET]})
    await world.observe(ran_tests(at=world.now))
    await world.look()
    assert await world.requests() == []

    await world.observe(measured(at=world.now, error_rate=0.004))
    await world.look()

    asked = only(await world.requests())
    assert (asked.origin, asked.rule_id, asked.rule_version) == (Origin.AUTO, rule.id, 1)
    assert (asked.source_deployment_id, asked.target_environment) == ("dep-1", "staging")
    assert (asked.target_gateway_id, asked.created_by) == ("gw-staging", f"rule:{rule.id}")


async def test_the_request_of_a_rule_is_evaluated_under_that_rule(world: World) -> None:
    await world.deploy()
    rule = await automatic(world)
    await world.observe(ran_tests(at=world.now))
    await world.look()
    await world.outbox()
    asked = world.published[-1]

    await world.request(asked)

    evaluated = only(await world.evaluations())
    assert (evaluated.conditions, evaluated.requires_approval, evaluated.origin) == ("true", False, Origin.AUTO)
    assert [each.rule_id for each in evaluated.rules] == [rule.id]
    assert evaluated.explanation["rules"][0]["tree"]["actual"] == 100


async def test_nobody_can_claim_that_a_rule_asked(world: World) -> None:
    await world.deploy()

    await world.request(requested(origin="auto", rule_id=uuid4(), rule_version=1))

    assert only(await world.evaluations()).origin is Origin.EVENT


async def test_it_never_happens_twice_for_a_deployment_and_target(world: World) -> None:
    await world.deploy()
    await automatic(world)
    for minute in range(3):
        await world.observe(ran_tests(at=world.after(minutes=minute), run_id=f"run-{minute}"))
        await world.look()
    await automatic(world, QUIET)
    await world.observe(measured(at=world.now, error_rate=0))
    await world.look()

    assert len(await world.requests()) == 1


async def test_facts_that_come_before_their_deployment_count_once_it_is_there(world: World) -> None:
    await automatic(world)
    await world.observe(ran_tests(at=world.now))
    await world.look()
    await world.announce(announced(at=world.now))
    await world.look()
    assert await world.requests() == []
    await world.deploy()
    world.after(seconds=1)

    await world.look()

    assert only(await world.requests()).source_deployment_id == "dep-1"


async def test_a_soak_ends_at_the_right_second_after_a_restart_in_between(world: World) -> None:
    await world.deploy(active_since=world.now)
    await automatic(world, {"all": [PASSED, SOAKED]})
    await world.observe(ran_tests(at=world.now))
    await world.look()
    world.after(hours=12)
    await world.look()
    world.lookout = restarted(world)
    world.after(hours=12, seconds=-1)
    await world.look()
    assert await world.requests() == []

    world.after(seconds=1)
    await world.look()

    assert only(await world.requests()).created_at == world.now


def restarted(world: World) -> Lookout:
    from services.platform.messaging.outbox import Outbox
    from services.rules.handlers.requests import RequestDesk
    from services.rules.handlers.trigger import Trigger
    from services.rules.store.rule_books import RuleBooks

    books, outbox = RuleBooks(), Outbox("rules")
    return Lookout(
        database=world.database,
        desk=RequestDesk(outbox=outbox, books=books, hold_seconds=300),
        books=books,
        trigger=Trigger(outbox=outbox),
        clock=lambda: world.now,
        hold_seconds=300,
    )


async def test_a_deployment_that_inventory_shows_only_after_an_outage_is_promoted_in_its_time(world: World) -> None:
    await automatic(world, SOAKED)
    announced_at = world.now
    await world.announce(announced(at=announced_at))
    await world.look()
    async with world.database.begin() as connection:
        await connection.execute(text("UPDATE rules.recheck SET attempts = 250"))
    world.after(minutes=21)
    await world.look()

    await world.deploy(active_since=announced_at, deployed_at=announced_at)
    world.after(minutes=5)
    await world.look()
    world.after(hours=24)
    await world.look()

    assert len(await world.requests()) == 1


@pytest.mark.parametrize("shown", [True, False])
async def test_what_is_announced_is_looked_at_by_itself_only_where_something_depends_on_it(
    world: World, shown: bool
) -> None:
    await world.rule(requires_approval=False, conditions=QUIET)
    if shown:
        await world.deploy()

    await world.announce(announced(at=world.now))

    assert await rechecks(world) == (0 if shown else 1)


@pytest.mark.parametrize("fields", [{"auto_promote": True}, {"status": "shadow"}], ids=["promotes", "is a shadow"])
async def test_what_is_announced_is_looked_at_where_a_rule_acts_on_it(world: World, fields: dict[str, Any]) -> None:
    await world.rule(requires_approval=False, conditions=QUIET, **fields)
    await world.deploy()
    before = await rechecks(world)

    await world.announce(announced(at=world.now))

    assert await rechecks(world) - before == 1


@pytest.mark.parametrize("first", [True, False], ids=["the first", "another"])
async def test_a_rule_that_is_being_made_while_a_deployment_is_announced_acts_on_it(world: World, first: bool) -> None:
    if not first:
        await world.rule(requires_approval=False, conditions=QUIET)
    async with world.database.begin() as connection:
        # It looks for deployments before there is this one.
        await create_rule(
            connection, written(auto_promote=True, requires_approval=False, conditions=QUIET),
            organization_id="acme", rule_id=uuid4(), by="ada", now=world.now,
        )  # fmt: skip
        await world.deploy()
        await world.announce(announced(at=world.now))

    assert await rechecks(world) == 1


async def test_no_rule_changes_while_it_is_settled_what_an_announcement_concerns(world: World) -> None:
    await world.rule(requires_approval=False, conditions=QUIET)
    await world.deploy()
    async with world.database.begin() as connection:
        await world.intake.take_announcements(connection, [announced(at=world.now)], world.now)
        making = asyncio.create_task(automatic(world, QUIET))
        await until_somebody_waits_for_a_lock(world)
    await making

    assert await rechecks(world) == 1


async def rechecks(world: World) -> int:
    async with world.database.begin() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM rules.recheck")))


async def until_somebody_waits_for_a_lock(world: World) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(20):
        async with world.owner.connect() as connection:
            while not await connection.scalar(waiting):
                await asyncio.sleep(0.01)


async def test_the_loop_rests_no_longer_than_until_the_next_timer(world: World) -> None:
    await world.deploy(active_since=world.now - timedelta(hours=24) + timedelta(milliseconds=300))
    await automatic(world, SOAKED)
    await world.look()

    assert await world.lookout.step() == pytest.approx(0.3, abs=0.001)


async def test_a_deployment_that_was_redeployed_soaks_anew(world: World) -> None:
    await world.deploy(active_since=world.now)
    await automatic(world, SOAKED)
    await world.look()
    world.after(hours=23)
    await world.redeploy("dep-1", active_since=world.now)
    world.after(hours=1)
    await world.look()
    assert await world.requests() == []

    world.after(hours=23)
    await world.look()

    assert len(await world.requests()) == 1


async def test_a_deployment_that_is_no_longer_active_is_not_promoted(world: World) -> None:
    await world.deploy(active_since=world.now)
    await automatic(world, {"any": [SOAKED, PASSED]})
    await world.look()
    await world.redeploy("dep-1", status="retired", active_since=None, retired_at=world.now)
    world.after(hours=25)
    await world.observe(ran_tests(at=world.now))

    await world.look()

    assert await world.requests() == []


async def test_a_new_rule_looks_at_what_runs_already(world: World) -> None:
    await world.deploy()
    await world.observe(ran_tests(at=world.now))

    await automatic(world)
    await world.look()

    assert len(await world.requests()) == 1


async def test_shadow_and_disabled_rules_start_nothing_and_shadows_are_recorded(world: World) -> None:
    await world.deploy()
    shadow = await automatic(world, status="shadow")
    await automatic(world, status="disabled")
    await world.observe(ran_tests(at=world.now))

    await world.look()

    assert await world.requests() == []
    async with world.database.begin() as connection:
        rows = await connection.execute(text("SELECT rule_id, result FROM rules.verdict_history ORDER BY since"))
        assert [(row.rule_id, row.result) for row in rows][-1] == (shadow.id, "true")


async def test_a_shadow_rule_does_not_hold_back_a_promotion(world: World) -> None:
    await world.deploy()
    await world.rule(status="shadow", required_approvers=9, conditions=PASSED)

    await world.request(requested())

    evaluated = only(await world.evaluations())
    assert (evaluated.requires_approval, evaluated.conditions) == (False, "none")


@pytest.mark.parametrize(
    "standing",
    [
        {"status": "pending", "status_reason": "awaiting_approval"},
        {"status": "approved", "status_reason": "executing"},
        {"status": "completed", "status_reason": "deployed"},
        {"status": "rejected", "status_reason": "rejected", "rejected_by_person": True},
        {
            "status": "rejected",
            "status_reason": "rejected",
            "rejected_by_person": True,
            "source_deployment_id": "dep-0",
            "digest": "sha256:one",
        },
    ],
)
async def test_nothing_is_started_beside_or_against_what_people_did(world: World, standing: dict[str, Any]) -> None:
    await world.deploy()
    await automatic(world)
    await world.promotion(uuid4(), **standing)
    await world.observe(ran_tests(at=world.now))

    await world.look()

    assert await world.requests() == []


@pytest.mark.parametrize("reason", ["expired", "superseded", "not_eligible"])
async def test_what_ended_without_a_persons_no_is_no_obstacle(world: World, reason: str) -> None:
    await world.deploy()
    await automatic(world)
    await world.promotion(uuid4(), status="rejected", status_reason=reason)
    await world.observe(ran_tests(at=world.now))

    await world.look()

    assert len(await world.requests()) == 1


@pytest.mark.parametrize("same", [{"version": "1.0.0", "digest": None}, {"version": "9", "digest": "sha256:one"}])
async def test_nothing_is_started_where_the_target_runs_the_same(world: World, same: dict[str, Any]) -> None:
    await world.deploy()
    await world.deploy("dep-there", environment="staging", gateway_id="gw-staging", **same)
    await automatic(world)
    await world.observe(ran_tests(at=world.now))

    await world.look()

    assert await world.requests() == []


async def test_an_ambiguous_gateway_starts_nothing_until_it_is_clear(world: World) -> None:
    await world.deploy()
    await world.gateway("gw-staging-2", "staging")
    await automatic(world)
    await world.observe(ran_tests(at=world.now))
    await world.look()
    assert await world.requests() == []

    await world.gateway("gw-staging-3", "staging", is_default=True)
    world.after(minutes=1)
    await world.look()

    assert only(await world.requests()).target_gateway_id == "gw-staging-3"


async def test_a_changed_rule_promotes_fifty_a_minute_and_the_rest_in_turn(world: World) -> None:
    for number in range(MEASURE + 10):
        await world.deploy(f"dep-{number:03}", agent_id=f"agent-{number}", version=f"{number}", digest=None)
        await world.observe(ran_tests(f"dep-{number:03}", at=world.now))
    await automatic(world)
    world.after(seconds=1)
    await world.look()
    assert len(await world.requests()) == MEASURE
    await world.observe(measured("dep-059", at=world.now, error_rate=0), ran_tests("dep-059", at=world.now, run_id="2"))
    world.after(seconds=30)
    await world.look()
    assert await world.requests() == []

    world.after(seconds=31)
    await world.look()

    assert len(await world.requests()) == 10
    assert await in_queue(world) == 0


async def test_who_is_gone_when_its_turn_comes_leaves_the_queue(world: World) -> None:
    await one_waits(world)
    await world.redeploy("dep-050", status="retired")
    world.after(minutes=1)

    await world.look()

    assert await in_queue(world) == 0


@pytest.mark.parametrize("deleted", [True, False])
async def test_a_rule_that_promotes_no_more_leaves_nobody_waiting(world: World, deleted: bool) -> None:
    rule = await one_waits(world)
    world.after(seconds=1)
    whose: dict[str, Any] = {
        "organization_id": "acme", "rule_id": rule.id, "expected": None, "allow": lambda _: None, "by": "ada",
        "now": world.now,
    }  # fmt: skip
    async with world.database.begin() as connection:
        if deleted:
            await delete_rule(connection, **whose)
        else:
            await replace_rule(connection, written(status="disabled"), **whose)
    world.after(minutes=1)

    await world.look()

    assert await in_queue(world) == 0
    assert len(await world.requests()) == MEASURE


async def one_waits(world: World) -> Any:
    """Have a new rule promote as many as it may at once, and one more, which waits for its turn."""
    for number in range(MEASURE + 1):
        await world.deploy(f"dep-{number:03}", agent_id=f"agent-{number}", version=f"{number}", digest=None)
        await world.observe(ran_tests(f"dep-{number:03}", at=world.now))
    rule = await automatic(world)
    world.after(seconds=1)
    await world.look()
    assert await in_queue(world) == 1
    return rule


async def in_queue(world: World) -> int:
    async with world.database.begin() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM rules.queued_promotion")) or 0)


async def test_what_waits_for_its_turn_and_stops_to_hold_leaves_the_queue(world: World) -> None:
    await one_waits(world)
    await world.observe(ran_tests("dep-050", at=world.now, run_id="2", failed=1))
    world.after(minutes=1)

    await world.look()

    assert len(await world.requests()) == MEASURE
    assert await in_queue(world) == 0


async def test_a_request_that_kafka_lost_is_sent_again_unchanged(world: World) -> None:
    await world.deploy()
    await automatic(world)
    await world.observe(ran_tests(at=world.now))
    await world.look()
    first = await world.outbox()
    world.after(seconds=5)

    await world.confirmation.step()

    assert await world.outbox() == first
    await world.request(world.published[-1])
    await world.outbox()
    world.after(minutes=5)
    await world.confirmation.step()
    repeated = [event.topic for event in world.published[-1:]]
    await world.outbox()
    assert repeated == ["rules.evaluated"]


async def test_organizations_do_not_see_one_anothers_facts_or_rules(world: World) -> None:
    await world.deploy()
    await world.rule(organization_id="globex", auto_promote=True, requires_approval=False, conditions=QUIET)
    await automatic(world, QUIET)

    await world.observe(measured(at=world.now, organization_id="globex", error_rate=0))
    await world.look()

    assert await world.requests() == []
