"""What an approval is worth over HTTP: void with its key, and one verb of its own for whoever approves alone."""

from uuid import UUID

import pytest

from schemas import topics
from schemas.events import PromotionChanged
from schemas.vocabulary import ConditionsResult
from tests.integration.promotion.api import Api, identifier_of
from tests.integration.promotion.house import evaluation

REASON = {"reason": "production is down"}


async def waiting(api: Api, **changes: object) -> UUID:
    """A promotion of rita's that waits for two approvals."""
    identifier = identifier_of(await api.create())
    whole = {"requires_approval": True, "required_approvers": 2} | changes
    await api.house.evaluate(evaluation(identifier, agent_id="agent-1", source_deployment_id="dep-1", **whole))
    return identifier


async def test_an_administrator_breaks_the_glass_and_it_is_told_everywhere(api: Api) -> None:
    identifier = await waiting(api, conditions=ConditionsResult.FALSE)
    await api.house.forget_told()

    answer = await api.command(identifier, "break-glass", "alma", REASON)

    told = [event.data for event in await api.house.told(topics.PROMOTION_CHANGED)]
    history = (await api.get(f"/api/v1/promotions/{identifier}/history")).body["items"]
    assert (answer.status, answer.body["status_reason"]) == (200, "executing")
    assert (answer.body["approved_by"], answer.body["votes"][0]["break_glass"]) == ("alma", True)
    assert [data.break_glass for data in told if isinstance(data, PromotionChanged)] == [True, False]
    [entry] = [entry for entry in history if entry["evidence"].get("break_glass")]
    assert (entry["actor"], entry["evidence"]["reason"]) == ("alma", "production is down")
    assert entry["status_message"].startswith("alma broke the glass: production is down")


async def test_it_works_for_an_own_promotion_and_a_repeat_changes_nothing(api: Api) -> None:
    identifier = identifier_of(await api.create("alma"))
    changes = {"requires_approval": True, "required_approvers": 2}
    event = evaluation(identifier, agent_id="agent-1", source_deployment_id="dep-1", created_by="alma", **changes)

    early = await api.command(identifier, "break-glass", "alma", REASON)
    again = await api.command(identifier, "break-glass", "alma", REASON)
    await api.house.evaluate(event)

    assert (early.status, early.body["status_reason"]) == (200, "evaluating")
    assert again.body == early.body
    assert await api.house.standing(identifier) == "approved/executing"


@pytest.mark.parametrize("caller", ["rita", "ada", "eve", "vic", "stan", "facade"])
async def test_nobody_else_may(api: Api, caller: str) -> None:
    identifier = await waiting(api)

    answer = await api.command(identifier, "break-glass", caller, REASON)

    assert answer.status == 403
    assert await api.house.standing(identifier) == "pending/awaiting_approval"


async def test_another_organization_s_administrator_finds_nothing_to_break(api: Api) -> None:
    identifier = await waiting(api)

    assert (await api.command(identifier, "break-glass", "olga", REASON)).status == 404


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": " "}, {"reason": "x", "override": True}])
async def test_it_takes_a_reason(api: Api, body: object) -> None:
    identifier = await waiting(api)

    assert (await api.command(identifier, "break-glass", "alma", body)).status == 422


async def test_a_rejection_stands(api: Api) -> None:
    identifier = await waiting(api)
    await api.command(identifier, "reject", "bob", {"reason": "no"})

    assert (await api.command(identifier, "break-glass", "alma", REASON)).status == 409


async def test_a_revoked_key_takes_its_votes_with_it(api: Api) -> None:
    identifier = await waiting(api)
    await api.command(identifier, "approve", "ada")
    await api.house.as_owner("UPDATE platform.api_key SET revoked_at = now() WHERE subject = 'ada'")

    second = await api.command(identifier, "approve", "bob")
    third = await api.command(identifier, "approve", "alma")

    assert (second.body["status_reason"], second.body["status_message"]) == (
        "awaiting_approval",
        "It has 1 of 2 approvals.",
    )
    assert {vote["voter"]: vote["void"] for vote in second.body["votes"]} == {"ada": True, "bob": False}
    assert third.body["status_reason"] == "executing"


async def test_a_key_that_is_revoked_between_approval_and_execution_stops_the_execution(api: Api) -> None:
    identifier = await waiting(api, required_approvers=1, execution="manual")
    approved = await api.command(identifier, "approve", "ada")
    await api.house.as_owner("UPDATE platform.api_key SET revoked_at = now() WHERE subject = 'ada'")

    started = await api.command(identifier, "execute", "eve")
    again = await api.command(identifier, "approve", "bob")

    assert approved.body["status_reason"] == "awaiting_execute"
    assert (started.status, started.body["status_reason"]) == (202, "conditions_unmet")
    assert again.body["status_reason"] == "executing"
