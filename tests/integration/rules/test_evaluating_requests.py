"""promotion.requested in, rules.evaluated out: eligibility, strictness, holding, repetition."""

from datetime import timedelta
from uuid import uuid4

from schemas.vocabulary import ConditionsResult, Origin, StatusReason
from tests.integration.rules.conftest import HOLD_SECONDS, World, announced, only, requested

CONDITIONS = {"field": "tests.pass_rate", "op": "gte", "value": 100}


async def test_without_rules_development_to_staging_is_free(world: World) -> None:
    await world.deploy()

    await world.request(requested())

    evaluated = only(await world.evaluations())
    assert (evaluated.refusal, evaluated.requires_approval, evaluated.conditions) == (None, False, "none")
    assert (evaluated.number, evaluated.source_environment) == (1, "development")
    assert (evaluated.target_gateway_id, evaluated.deployment_version) == ("gw-staging", "1.0.0")
    assert evaluated.digest == "sha256:one"


async def test_without_rules_every_other_hop_needs_one_approval(world: World) -> None:
    await world.deploy(environment="staging", gateway_id="gw-staging")

    await world.request(requested(target_environment="production"))

    evaluated = only(await world.evaluations())
    assert (evaluated.requires_approval, evaluated.required_approvers) == (True, 1)


async def test_the_strictest_of_the_active_rules_wins(world: World) -> None:
    await world.deploy()
    await world.rule("lax", requires_approval=False, required_approvers=3, execution="manual")
    world.after(seconds=1)
    await world.rule("strict", required_approvers=2, expires_after_seconds=60)
    await world.rule("switched off", status="disabled", required_approvers=20)
    await world.rule("other hop", source_environment="staging", target_environment="production", required_approvers=9)

    await world.request(requested(at=world.after(seconds=1)))

    evaluated = only(await world.evaluations())
    assert (evaluated.requires_approval, evaluated.required_approvers) == (True, 3)
    assert (evaluated.execution, evaluated.expires_after_seconds) == ("manual", 60)
    assert [rule.name for rule in evaluated.rules] == ["lax", "strict"]


async def test_conditions_without_facts_are_unknown(world: World) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions=CONDITIONS)

    await world.request(requested())

    evaluated = only(await world.evaluations())
    assert evaluated.conditions is ConditionsResult.UNKNOWN
    assert "tests.pass_rate" in evaluated.summary
    assert evaluated.explanation["rules"][0]["blockers"] == [""]


async def test_a_promotion_keeps_the_rules_that_were_in_force_when_it_was_created(world: World) -> None:
    await world.deploy()
    promotion_id = uuid4()
    await world.promotion(promotion_id, created_at=world.now)
    world.after(minutes=1)
    await world.rule("later", required_approvers=5)

    await world.request(requested(promotion_id=promotion_id))

    evaluated = only(await world.evaluations())
    assert (evaluated.requires_approval, evaluated.rules) == (False, ())


async def test_what_was_accepted_over_http_wins_over_what_a_record_claims(world: World) -> None:
    await world.deploy()
    promotion_id = uuid4()
    await world.promotion(promotion_id, created_by="rita")

    await world.request(requested(promotion_id=promotion_id, created_by="mallory", origin="auto"))

    evaluated = only(await world.evaluations())
    assert (evaluated.created_by, evaluated.origin) == ("rita", Origin.USER)


async def test_a_sender_cannot_date_its_request_back_to_laxer_rules(world: World) -> None:
    await world.deploy()
    await world.rule(required_approvers=5)

    await world.request(requested(created_at=world.now - timedelta(days=30)))

    evaluated = only(await world.evaluations())
    assert (evaluated.required_approvers, evaluated.created_at) == (5, world.now)
    assert evaluated.origin is Origin.EVENT


async def test_a_repeated_request_is_answered_with_the_same_bytes(world: World) -> None:
    await world.deploy()
    event = requested()
    await world.request(event)
    first = await world.outbox()
    await world.rule("later", required_approvers=5)
    world.after(minutes=5)

    await world.request(event, event)

    assert await world.outbox() == first


async def test_refusals_say_what_is_wrong(world: World) -> None:
    await world.deploy()
    await world.deploy("dep-retired", status="retired", active_since=None)
    await world.deploy("dep-last", environment="production", gateway_id="gw-production")
    await world.request(
        requested(agent_id="agent-2"),
        requested(source_deployment_id="dep-retired"),
        requested(target_environment="production"),
        requested(target_environment="moon"),
        requested(target_environment="development"),
        requested(source_deployment_id="dep-last"),
        requested(target_gateway_id="gw-production"),
        requested(target_gateway_id="gw-nowhere"),
    )

    evaluations = await world.evaluations()

    assert {each.refusal.code for each in evaluations if each.refusal} == {StatusReason.NOT_ELIGIBLE}
    messages = sorted(each.refusal.message for each in evaluations if each.refusal)
    assert len(messages) == 8
    for wrong in ("agent-2", "retired", "skip staging", "moon", "belongs to production", "gw-nowhere"):
        assert any(wrong in message for message in messages), (wrong, messages)


async def test_an_ambiguous_gateway_is_refused_and_named(world: World) -> None:
    await world.deploy()
    await world.gateway("gw-staging-2", "staging")

    await world.request(requested())

    assert "ambiguous" in only(await world.evaluations()).refusal.message


async def test_the_gateway_where_the_agent_runs_is_taken_before_the_default(world: World) -> None:
    await world.deploy()
    await world.gateway("gw-staging-2", "staging", is_default=True)
    await world.deploy("dep-0", environment="staging", gateway_id="gw-staging")

    await world.request(requested())

    assert only(await world.evaluations()).target_gateway_id == "gw-staging"


async def test_another_organizations_deployment_is_unknown(world: World) -> None:
    await world.deploy(organization_id="globex")

    await world.request(requested())

    assert await world.evaluations() == []


async def test_a_request_for_an_unknown_deployment_waits_until_it_is_announced(world: World) -> None:
    await world.request(requested())
    assert await world.evaluations() == []
    world.after(seconds=30)
    await world.announce(announced(at=world.now))
    await world.look()
    assert await world.evaluations() == []
    await world.deploy()
    world.after(seconds=1)

    await world.look()

    evaluated = only(await world.evaluations())
    assert (evaluated.number, evaluated.refusal) == (1, None)


async def test_a_request_whose_deployment_never_comes_is_refused_after_the_hold(world: World) -> None:
    await world.request(requested())
    for _ in range(10):
        world.after(seconds=HOLD_SECONDS / 10 - 1)
        await world.look()
    assert await world.evaluations() == []
    world.after(seconds=11)

    await world.look()

    evaluated = only(await world.evaluations())
    assert evaluated.refusal.code is StatusReason.NOT_ELIGIBLE
    assert "dep-1 was not announced" in evaluated.refusal.message
    world.after(seconds=60)
    await world.look()
    assert await world.evaluations() == []


async def test_an_evaluation_is_sent_again_until_the_promotion_service_has_taken_it(world: World) -> None:
    await world.deploy()
    promotion_id = uuid4()
    await world.request(requested(promotion_id=promotion_id))
    first = await world.outbox()
    await world.confirmation.step()
    assert await world.outbox() == []

    world.after(seconds=5)
    await world.confirmation.step()

    assert await world.outbox() == first
    await world.promotion(promotion_id, evaluation_number=1)
    world.after(minutes=2)
    await world.confirmation.step()
    await world.confirmation.step()
    assert await world.outbox() == []


async def test_a_batch_of_five_hundred_is_evaluated_whole(world: World) -> None:
    for number in range(5):
        await world.deploy(f"dep-{number}", agent_id=f"agent-{number}", gateway_id="gw-development")
    events = [
        requested(source_deployment_id=f"dep-{number % 5}", agent_id=f"agent-{number % 5}") for number in range(500)
    ]

    await world.request(*events)

    assert len(await world.evaluations()) == 500
