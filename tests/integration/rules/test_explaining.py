"""Why a deployment or a promotion stands where it stands: the whole tree, the obstacles, the next change, the past."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.integration.rules.calls import Client
from tests.integration.rules.conftest import World, measured, ran_tests, requested

PASSED: dict[str, Any] = {"field": "tests.pass_rate", "op": "gte", "value": 100}
SOAKED: dict[str, Any] = {"field": "deployment.duration_hours", "op": "gte", "value": 24}
QUIET: dict[str, Any] = {"field": "metrics.error_rate", "op": "lte", "value": 0.01}
DRAFT: dict[str, Any] = {
    "name": "draft",
    "source_environment": "development",
    "target_environment": "staging",
    "auto_promote": True,
    "conditions": {"all": [PASSED, QUIET]},
}


async def test_a_deployment_without_automatic_rules_says_so(world: World, client: Client) -> None:
    await world.deploy()

    explained = (await client.call("GET", "/deployments/dep-1/explain", key="viewer")).json

    assert explained["would_promote"] is False
    assert explained["summary"] == "no rule promotes to staging by itself"
    assert explained["target_environment"] == "staging"


async def test_every_blocker_is_named_with_its_fact_and_its_next_change(world: World, client: Client) -> None:
    await world.deploy(active_since=world.now)
    await world.rule("soak", auto_promote=True, conditions={"all": [PASSED, SOAKED, QUIET]})
    await world.observe(measured(at=world.now, identifier="m-1", error_rate=0.5))
    world.after(minutes=1)

    explained = (await client.call("GET", "/deployments/dep-1/explain")).json

    assert explained["would_promote"] is False
    (rule,) = explained["rules"]
    assert (rule["conditions"], rule["obstacle"]) == ("false", None)
    assert rule["explanation"]["blockers"] == ["/all/0", "/all/1", "/all/2"]
    tests, soak, errors = rule["explanation"]["tree"]["children"]
    assert (tests["reason"], soak["op"], errors["actual"]) == ("missing", "gte", 0.5)
    assert errors["event"] == {"source": "/prometheus/acme", "id": "m-1"}
    assert errors["age_seconds"] == 60
    assert "soak" in explained["summary"]


async def test_the_trigger_and_the_explanation_agree(world: World, client: Client) -> None:
    await world.deploy()
    await world.rule(auto_promote=True, requires_approval=False, conditions=PASSED)
    await world.observe(ran_tests(at=world.now))
    before = (await client.call("GET", "/deployments/dep-1/explain")).json
    await world.look()
    asked = (await world.requests())[0]
    await world.promotion(asked.promotion_id, origin="auto", status_message="is being evaluated")
    during = (await client.call("GET", "/deployments/dep-1/explain")).json
    await world.promotion_became(asked.promotion_id, status="completed", status_reason="deployed")
    after = (await client.call("GET", "/deployments/dep-1/explain")).json

    assert [each["would_promote"] for each in (before, during, after)] == [True, True, False]
    assert during["rules"][0]["obstacle"]["code"] == "under_way"
    assert after["rules"][0]["obstacle"]["code"] == "completed"
    assert after["promotions"][0]["promotion_id"] == str(asked.promotion_id)


async def test_a_persons_no_is_an_obstacle_that_is_named(world: World, client: Client) -> None:
    await world.deploy()
    await world.rule(auto_promote=True, conditions=PASSED)
    await world.observe(ran_tests(at=world.now))
    await world.promotion(uuid4(), status="rejected", status_reason="rejected", rejected_by_person=True)

    explained = (await client.call("GET", "/deployments/dep-1/explain")).json

    assert explained["rules"][0]["obstacle"]["code"] == "a_person_said_no"
    assert "no" in explained["summary"]


async def test_the_past_is_explained_from_what_was_recorded(world: World, client: Client) -> None:
    await world.deploy()
    await world.rule(auto_promote=True, requires_approval=False, conditions={"all": [PASSED, QUIET]})
    await world.observe(ran_tests(at=world.now), measured(at=world.now, error_rate=0.5))
    world.after(minutes=10)
    bad = world.now - timedelta(minutes=1)
    await world.observe(measured(at=world.now, error_rate=0.0))
    world.after(minutes=1)

    then = (await client.call("GET", f"/deployments/dep-1/explain?at={_query(bad)}")).json
    now = (await client.call("GET", "/deployments/dep-1/explain")).json
    before = (await client.call("GET", f"/deployments/dep-1/explain?at={_query(bad - timedelta(days=1))}")).json

    assert (then["would_promote"], now["would_promote"]) == (False, True)
    assert then["rules"][0]["explanation"]["tree"]["children"][1]["actual"] == 0.5
    assert before["rules"] == []


async def test_what_waits_for_its_turn_says_where_in_the_queue_it_is(world: World, client: Client) -> None:
    for number in range(52):
        await world.deploy(f"dep-{number:02}", agent_id=f"agent-{number}", version=f"{number}", digest=None)
        await world.observe(ran_tests(f"dep-{number:02}", at=world.now))
    await world.rule(auto_promote=True, conditions=PASSED)
    world.after(seconds=1)
    await world.look()

    queue = (await client.call("GET", "/deployments/dep-51/explain")).json["queue"]

    assert (queue["position"], queue["started_per_minute"]) == (2, 50)


async def test_facts_are_shown_with_their_event_time_age_and_state(world: World, client: Client) -> None:
    await world.deploy(active_since=world.now)
    await world.observe(
        ran_tests(at=world.now, identifier="t-1"), measured(at=world.now, identifier="m-1", error_rate=0.5)
    )
    world.after(hours=2)

    shown = (await client.call("GET", "/deployments/dep-1/facts")).json

    facts = {item["field"]: item for item in shown["items"]}
    assert facts["tests.pass_rate"]["value"] == 100
    assert (facts["tests.pass_rate"]["event_id"], facts["tests.pass_rate"]["state"]) == ("t-1", None)
    assert (facts["metrics.error_rate"]["state"], facts["metrics.error_rate"]["age_seconds"]) == ("stale", 7200)
    assert facts["deployment.duration_hours"]["value"] == 2
    assert facts["deployment.version"]["value"] == "1.0.0"


async def test_facts_of_a_deployment_that_was_not_announced_yet_are_shown(world: World, client: Client) -> None:
    await world.observe(ran_tests("dep-new", at=world.now))

    shown = await client.call("GET", "/deployments/dep-new/facts")

    assert (shown.status, shown.json["announced"]) == (200, False)
    assert (await client.call("GET", "/deployments/dep-never/facts")).status == 404


async def test_a_draft_is_checked_without_effect(world: World, client: Client) -> None:
    await world.deploy()
    await world.observe(ran_tests(at=world.now), measured(at=world.now, error_rate=0))

    checked = await client.call("POST", "/promotions/rules/check", {"rule": DRAFT, "deployment_id": "dep-1"})

    assert (checked.status, checked.json["matches"]) == (200, True)
    assert (checked.json["standing"]["would_promote"], checked.json["standing"]["rule_id"]) == (True, None)
    await world.look()
    assert await world.requests() == []
    assert (await client.call("GET", "/promotions/rules")).json["items"] == []


async def test_a_stored_rule_of_another_hop_is_checked_and_said_not_to_match(world: World, client: Client) -> None:
    await world.deploy()
    rule = await world.rule(source_environment="staging", target_environment="production", conditions=PASSED)

    checked = await client.call("POST", "/promotions/rules/check", {"rule_id": str(rule.id), "deployment_id": "dep-1"})

    assert (checked.json["matches"], checked.json["standing"]["conditions"]) == (False, "unknown")


async def test_checks_that_cannot_be_made_say_why(world: World, client: Client) -> None:
    await world.deploy()
    wrong = {**DRAFT, "conditions": {"field": "tests.passrate", "op": "gte", "value": 1}}
    for body, status in (
        ({"rule": wrong, "deployment_id": "dep-1"}, 422),
        ({"rule": DRAFT, "rule_id": str(uuid4()), "deployment_id": "dep-1"}, 422),
        ({"deployment_id": "dep-1"}, 422),
        ({"rule_id": str(uuid4()), "deployment_id": "dep-1"}, 404),
        ({"rule": DRAFT, "deployment_id": "dep-nowhere"}, 404),
        ({"rule": DRAFT, "deployment_id": "dep-1", "at": "0001-01-01T00:00:00+23:59"}, 422),
        ({"rule": DRAFT, "deployment_id": "dep-1", "at": "9999-12-31T23:59:59-23:59"}, 422),
    ):
        assert (await client.call("POST", "/promotions/rules/check", body)).status == status, body


async def test_nothing_of_another_organization_is_explained(world: World, client: Client) -> None:
    await world.deploy()
    event = requested()
    await world.request(event)
    rule = await world.rule(conditions=PASSED)

    for path in (
        "/deployments/dep-1/explain",
        "/deployments/dep-1/facts",
        f"/promotions/{event.data.promotion_id}/explain",  # type: ignore[attr-defined]
    ):
        assert (await client.call("GET", path, key="outsider")).status == 404
    body = {"rule_id": str(rule.id), "deployment_id": "dep-1"}
    assert (await client.call("POST", "/promotions/rules/check", body, key="outsider")).status == 404


async def test_a_promotion_explains_its_evidence_its_ways_and_its_changed_rules(world: World, client: Client) -> None:
    await world.deploy()
    rule = await world.rule("quiet", required_approvers=2, conditions=QUIET)
    promotion_id = uuid4()
    await world.promotion(
        promotion_id, status_reason="conditions_unmet", status_message="waits", required_approvers=2, approvals=1
    )
    await world.request(requested(promotion_id=promotion_id))
    world.after(minutes=1)
    await client.call("DELETE", f"/promotions/rules/{rule.id}")

    explained = (await client.call("GET", f"/promotions/{promotion_id}/explain")).json

    assert explained["decided"]["number"] == 1
    assert explained["decided"]["rules"][0]["tree"]["reason"] == "missing"
    assert (explained["now"]["conditions"], explained["now"]["required_approvers"]) == ("unknown", 2)
    assert explained["approvals"] == {"given": 1, "required": 2, "not_by": "rita"}
    assert explained["ways"][0]["what"].startswith("quiet: waiting")
    assert any(way["what"] == "1 more approval" for way in explained["ways"])
    assert explained["rules_changed"] == [
        {"rule_id": str(rule.id), "name": "quiet", "version_applied": 1, "version_now": None}
    ]


async def test_a_promotion_explains_what_was_known_then(world: World, client: Client) -> None:
    await world.deploy()
    await world.rule(requires_approval=False, conditions=QUIET)
    promotion_id = uuid4()
    await world.promotion(promotion_id)
    await world.request(requested(promotion_id=promotion_id))
    asked = world.now
    world.after(minutes=5)
    await world.observe(measured(at=world.now, error_rate=0))
    await world.look()

    then = (await client.call("GET", f"/promotions/{promotion_id}/explain?at={_query(asked)}")).json
    now = (await client.call("GET", f"/promotions/{promotion_id}/explain")).json
    before = await client.call("GET", f"/promotions/{promotion_id}/explain?at={_query(asked - timedelta(seconds=1))}")

    assert (then["decided"]["number"], now["decided"]["number"]) == (1, 2)
    assert (then["decided"]["conditions"], now["decided"]["conditions"]) == ("unknown", "true")
    assert (then["status"], now["status"]) == (None, "pending")
    assert before.status == 404


async def test_a_held_request_says_what_it_waits_for(world: World, client: Client) -> None:
    event = requested()
    await world.request(event)

    explained = (await client.call("GET", f"/promotions/{event.data.promotion_id}/explain")).json  # type: ignore[attr-defined]

    assert "dep-1" in explained["summary"]
    assert explained["ways"][0]["at"] is not None


async def test_a_backtest_says_when_a_rule_would_have_promoted_and_what_became_of_it(
    world: World, client: Client
) -> None:
    begun = world.now
    await world.deploy("dep-good", active_since=begun)
    await world.deploy("dep-bad", agent_id="agent-2", active_since=begun, version="2")
    await world.deploy("dep-never", agent_id="agent-3", active_since=begun, version="3")
    world.after(hours=1)
    for name, rate in (("dep-good", 0), ("dep-bad", 0), ("dep-never", 0.5)):
        await world.observe(measured(name, at=world.now, error_rate=rate), ran_tests(name, at=world.now))
    fit = world.now
    await world.promotion(
        uuid4(),
        source_deployment_id="dep-good",
        status="completed",
        status_reason="deployed",
        completed_at=fit + timedelta(hours=3),
    )
    await world.promotion(
        uuid4(), source_deployment_id="dep-bad", agent_id="agent-2", status="failed", status_reason="timed_out"
    )
    world.after(hours=10)

    answer = await client.call("POST", "/promotions/rules/backtest", {"rule": DRAFT, "since": "30d"})

    assert answer.status == 200, answer.text
    items = {item["deployment_id"]: item for item in answer.json["items"]}
    assert (answer.json["would_promote"], answer.json["regretted"], answer.json["truncated"]) == (2, 1, False)
    assert items["dep-good"]["earlier_seconds"] == 3 * 3600
    assert items["dep-bad"]["regretted"] is True
    assert items["dep-never"]["would_promote_at"] is None


async def test_a_backtest_without_a_time_in_the_past_is_refused(client: Client) -> None:
    for since in ("soon", "30", "2999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "2026-01-01"):
        answer = await client.call("POST", "/promotions/rules/backtest", {"rule": DRAFT, "since": since})
        assert answer.status == 422, since


def _query(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))
