"""Approve, reject, cancel, execute over HTTP: who may, what follows, and what a repeat or a late one is answered."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from schemas.vocabulary import ConditionsResult, Execution
from services.platform.http.cursors import write_cursor
from tests.integration.promotion.api import Api, identifier_of
from tests.integration.promotion.house import REDRIVE_AFTER, completion, evaluation


async def waiting(api: Api, **changes: object) -> UUID:
    """A promotion of rita's that waits for an approval."""
    identifier = identifier_of(await api.create())
    await evaluate(api, identifier, **changes)
    return identifier


async def evaluate(api: Api, identifier: UUID, **changes: object) -> None:
    whole = {"requires_approval": True, "required_approvers": 1} | changes
    await api.house.evaluate(evaluation(identifier, agent_id="agent-1", source_deployment_id="dep-1", **whole))


async def complete(api: Api, identifier: UUID, **changes: object) -> None:
    await api.house.complete(completion(identifier, agent_id="agent-1", **changes))


async def test_the_last_of_two_approvals_starts_it_and_names_the_deciding_vote(api: Api) -> None:
    identifier = await waiting(api, required_approvers=2)

    first = await api.command(identifier, "approve", "ada")
    second = await api.command(identifier, "approve", "bob", {"reason": "tested", "approver_id": "bob"})

    assert (first.status, first.body["status_reason"]) == (200, "awaiting_approval")
    assert first.body["status_message"] == "It has 1 of 2 approvals."
    assert (second.body["status"], second.body["status_reason"]) == ("approved", "executing")
    assert second.body["approved_by"] == "bob"
    assert [vote["voter"] for vote in second.body["votes"]] == ["ada", "bob"]


async def test_a_vote_during_the_evaluation_is_kept_and_counts_when_it_is_done(api: Api) -> None:
    identifier = identifier_of(await api.create())

    early = await api.command(identifier, "approve", "ada")
    await evaluate(api, identifier)

    assert (early.status, early.body["status_reason"]) == (200, "evaluating")
    assert await api.house.standing(identifier) == "approved/executing"
    assert (await api.house.promotion(identifier)).approved_by == "ada"


async def test_the_same_command_by_the_same_person_again_changes_nothing(api: Api) -> None:
    identifier = await waiting(api, required_approvers=2)
    first = await api.command(identifier, "approve", "ada")
    await api.house.forget_told()

    again = await api.command(identifier, "approve", "ada")

    assert (again.status, again.body) == (200, first.body)
    assert await api.house.told() == []
    for name, caller, body in (("reject", "bob", {"reason": "no"}), ("reject", "bob", {"reason": "still no"})):
        answer = await api.command(identifier, name, caller, body)
        assert (answer.status, answer.body["version"], answer.body["rejection_reason"]) == (200, 4, "no")


async def test_nobody_votes_on_their_own_promotion_not_even_through_a_delegate(api: Api) -> None:
    own = identifier_of(await api.create("alma"))

    for caller, headers in (("alma", None), ("facade", {"On-Behalf-Of": "ALMA"})):
        for name, body in (("approve", None), ("reject", {"reason": "no"})):
            answer = await api.command(own, name, caller, body, headers)
            assert (answer.status, answer.body["type"]) == (403, "urn:promotion:problem:own_promotion")


async def test_a_delegate_acts_for_a_person_and_the_history_tells_both(api: Api) -> None:
    identifier = await waiting(api)

    answer = await api.command(identifier, "approve", "facade", {"approver_id": "ada"}, {"On-Behalf-Of": "ada"})

    assert answer.body["approved_by"] == "ada"
    story = (await api.get(f"/api/v1/promotions/{identifier}/history")).body["items"]
    assert (story[2]["actor"], story[2]["via"]) == ("ada", "facade")
    assert story[2]["evidence"]["vote"] == "approve"


async def test_who_lacks_the_role_or_the_environment_may_not(api: Api) -> None:
    identifier = await waiting(api)

    for name, caller in (
        ("approve", "vic"), ("approve", "rita"), ("reject", "eve"), ("cancel", "ada"), ("cancel", "vic"),
        ("execute", "vic"), ("execute", "ada"),
    ):  # fmt: skip
        body = {"reason": "x"} if name == "reject" else None
        assert (await api.command(identifier, name, caller, body)).status == 403, (name, caller)
    assert (await api.command(identifier, "approve", "stan")).status == 200


async def test_an_approver_of_one_environment_has_no_say_in_another(api: Api) -> None:
    identifier = uuid4()
    await api.house.evaluate(
        evaluation(identifier, target_environment="production", requires_approval=True, required_approvers=1)
    )

    assert (await api.command(identifier, "approve", "stan")).status == 403


async def test_foreign_and_unknown_promotions_are_answered_alike(api: Api) -> None:
    identifier = await waiting(api)

    for name, body in (("approve", None), ("reject", {"reason": "x"}), ("cancel", None), ("execute", None)):
        foreign = await api.command(identifier, name, "olga", body)
        unknown = await api.command(uuid4(), name, "olga", body)
        assert (foreign.status, unknown.status) == (404, 404)
    for path in ("", "/history"):
        assert (await api.get(f"/api/v1/promotions/{identifier}{path}", "olga")).status == 404
    assert (await api.get("/api/v1/promotions", "olga")).body["items"] == []
    for wrong in ("rules", "1", "..%2f", "%00", "x" * 3000):
        assert (await api.get(f"/api/v1/promotions/{wrong}")).status == 404


async def test_a_late_command_is_a_conflict_that_shows_where_the_promotion_stands(api: Api) -> None:
    identifier = await waiting(api)
    await api.command(identifier, "approve", "ada")

    for name, caller, body in (("approve", "bob", None), ("reject", "bob", {"reason": "x"}), ("cancel", "rita", None)):
        answer = await api.command(identifier, name, caller, body)
        assert (answer.status, answer.body["type"]) == (409, "urn:promotion:problem:too_late")
        assert answer.body["promotion"]["status_reason"] == "executing"


async def test_a_rejection_needs_a_reason_and_is_final(api: Api) -> None:
    identifier = await waiting(api)

    missing = await api.command(identifier, "reject", "bob", {})
    rejected = await api.command(identifier, "reject", "bob", {"reason": "Not on a Friday"})
    late = await api.command(identifier, "approve", "ada")

    assert (missing.status, missing.codes) == (422, ["missing"])
    assert (rejected.body["status"], rejected.body["rejection_reason"]) == ("rejected", "Not on a Friday")
    assert late.status == 409


async def test_only_who_asked_or_an_administrator_cancels(api: Api) -> None:
    identifier = await waiting(api)

    cancelled = await api.command(identifier, "cancel", "rita", {"reason": "changed my mind"})
    again = await api.command(identifier, "cancel", "rita")
    by_another = await api.command(identifier, "cancel", "alma")

    assert (cancelled.body["status"], cancelled.body["status_reason"]) == ("rejected", "cancelled")
    assert (again.status, again.body) == (200, cancelled.body)
    assert by_another.status == 409
    other = identifier_of(await api.create("alma"))
    assert (await api.command(other, "cancel", "rita")).status == 403
    assert (await api.command(other, "cancel", "alma")).status == 200


async def test_manual_execution_waits_for_the_command(api: Api) -> None:
    identifier = identifier_of(await api.create())
    early = await api.command(identifier, "execute", "eve")
    await evaluate(api, identifier, requires_approval=False, execution=Execution.MANUAL)
    assert await api.house.standing(identifier) == "approved/awaiting_execute"

    by_a_stranger = await api.command(identifier, "execute", "rita", headers={"Prefer": "wait=0"})
    again = await api.command(identifier, "execute", "eve")
    await complete(api, identifier)
    done = await api.command(identifier, "execute", "eve")

    assert (early.status, early.body["type"]) == (409, "urn:promotion:problem:not_approved")
    assert (by_a_stranger.status, by_a_stranger.body["status_reason"]) == (202, "executing")
    assert again.status == 200
    assert (done.status, done.body["status"]) == (200, "completed")


async def test_executing_waits_for_the_outcome_where_that_is_preferred(api: Api) -> None:
    identifier = await waiting(api)
    await api.command(identifier, "approve", "ada")
    await complete(api, identifier)

    answer = await api.command(identifier, "execute", "eve", headers={"Prefer": "wait=5"})

    assert (answer.status, answer.body["target_deployment_id"]) == (200, str(identifier))


async def test_executing_what_was_rejected_is_too_late(api: Api) -> None:
    identifier = await waiting(api)
    await api.command(identifier, "reject", "bob", {"reason": "no"})

    answer = await api.command(identifier, "execute", "eve")

    assert (answer.status, answer.body["promotion"]["status"]) == (409, "rejected")


async def test_an_override_with_a_reason_passes_conditions_that_do_not_hold(api: Api) -> None:
    identifier = await waiting(api, conditions=ConditionsResult.FALSE, summary="tests.pass_rate is 80, needs 95")

    plain = await api.command(identifier, "approve", "ada")
    silent = await api.command(identifier, "approve", "ada", {"override_conditions": True})
    override = await api.command(identifier, "approve", "ada", {"override_conditions": True, "reason": "hotfix"})

    assert plain.body["status_reason"] == "conditions_unmet"
    assert "tests.pass_rate is 80" in plain.body["status_message"]
    assert (silent.status, silent.body["errors"][0]["path"]) == (422, "/reason")
    assert override.body["status_reason"] == "executing"
    assert [(vote["voter"], vote["override_conditions"]) for vote in override.body["votes"]] == [("ada", True)]


async def test_evidence_gone_bad_holds_an_approved_promotion_and_better_evidence_lets_it_go(api: Api) -> None:
    identifier = await waiting(
        api,
        requires_approval=True,
        conditions=ConditionsResult.TRUE,
        execution=Execution.MANUAL,
        holds_until=api.house.now + timedelta(minutes=10),
    )
    await api.command(identifier, "approve", "ada")
    assert await api.house.standing(identifier) == "approved/awaiting_execute"
    api.house.pass_time(timedelta(minutes=11))

    stale = await api.command(identifier, "execute", "eve")
    again = await api.command(identifier, "execute", "eve")
    assert (stale.status, again.status) == (202, 202)
    assert (stale.body["status_reason"], again.body) == ("conditions_unmet", stale.body)
    await evaluate(api, identifier, number=2, conditions=ConditionsResult.TRUE, execution=Execution.MANUAL)

    assert await api.house.standing(identifier) == "approved/executing"
    assert len((await api.house.promotion(identifier)).votes) == 1


async def test_a_command_on_what_has_expired_ends_it_and_says_so(api: Api) -> None:
    identifier = await waiting(api, expires_after_seconds=60)
    api.house.pass_time(REDRIVE_AFTER + timedelta(seconds=60))

    answer = await api.command(identifier, "approve", "ada")

    assert (answer.status, answer.body["promotion"]["status_reason"]) == (409, "expired")
    assert await api.house.standing(identifier) == "rejected/expired"


async def test_lists_are_newest_first_filtered_and_paged(api: Api) -> None:
    made = []
    for number in range(5):
        api.house.pass_time(timedelta(seconds=1))
        made.append(uuid4())
        await api.house.evaluate(
            evaluation(made[-1], created_at=api.house.now, created_by="rita" if number % 2 else "alma")
        )

    first = await api.get("/api/v1/promotions?limit=2")
    second = await api.get(f"/api/v1/promotions?limit=2&cursor={first.body['next_cursor']}")
    last = await api.get(f"/api/v1/promotions?limit=2&cursor={second.body['next_cursor']}")
    by_rita = await api.get("/api/v1/promotions?created_by=rita&status=approved&target_environment=staging")

    shown = [item["id"] for page in (first, second, last) for item in page.body["items"]]
    assert shown == [str(identifier) for identifier in reversed(made)]
    assert last.body["next_cursor"] is None
    assert [item["id"] for item in by_rita.body["items"]] == [str(made[3]), str(made[1])]


# A moment that is before the first year in UTC.
_TOO_EARLY = write_cursor("0001-01-01T00:00:00+14:00", "00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "cursor=x", "status=done", "cursor=WyJ4IiwieSJd", f"cursor={_TOO_EARLY}"]
)
async def test_a_wrong_query_names_its_parameter(api: Api, query: str) -> None:
    answer = await api.get(f"/api/v1/promotions?{query}")

    assert answer.status == 422
    assert answer.body["errors"][0]["path"] == f"query:/{query.split('=')[0]}"
