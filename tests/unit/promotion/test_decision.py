"""What evaluation, votes and time amount to: approvals by distinct people, conditions, overrides, vetoes."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import ConditionsResult, Decision, StatusReason
from services.promotion.domain.approvals import Ballot, Granted, Vetoed, Waiting, approvals
from services.promotion.domain.decision import Held, decide
from services.promotion.domain.promotion import Evaluation, Refusal, Vote
from tests.unit.promotion.promotions import NOW, evaluation, vote

UNMET = [ConditionsResult.FALSE, ConditionsResult.UNKNOWN]
MET = [ConditionsResult.NONE, ConditionsResult.TRUE]


def outcome(given_evaluation: Evaluation, *votes: Vote, after: timedelta = timedelta()) -> object:
    return decide(given_evaluation, votes, requester="rita", now=NOW + after)


@pytest.mark.parametrize("conditions", MET)
def test_without_approval_and_with_true_conditions_it_is_granted_at_once(conditions: ConditionsResult) -> None:
    assert outcome(evaluation(conditions=conditions)) == Granted()


@pytest.mark.parametrize("conditions", UNMET)
def test_without_approval_bad_conditions_wait_or_take_one_override(conditions: ConditionsResult) -> None:
    held = outcome(evaluation(conditions=conditions, summary="tests.pass_rate is 80"))
    plain = outcome(evaluation(conditions=conditions), vote("ada"))
    override = outcome(evaluation(conditions=conditions), vote("ada", override=True))

    assert isinstance(held, Held)
    assert held.reason is StatusReason.CONDITIONS_UNMET
    assert "tests.pass_rate is 80" in held.message
    assert isinstance(plain, Held)
    assert override == Granted(vote("ada", override=True), overridden=True)


@pytest.mark.parametrize("conditions", MET)
def test_approval_waits_for_enough_distinct_people(conditions: ConditionsResult) -> None:
    asked = evaluation(requires_approval=True, required_approvers=2, conditions=conditions)

    assert outcome(asked) == Held(StatusReason.AWAITING_APPROVAL, "It has 0 of 2 approvals.")
    assert outcome(asked, vote("ada")) == Held(StatusReason.AWAITING_APPROVAL, "It has 1 of 2 approvals.")
    assert outcome(asked, vote("ada"), vote("bob")) == Granted(vote("bob"))


@pytest.mark.parametrize("conditions", UNMET)
def test_approval_with_bad_conditions_waits_for_both_or_for_as_many_overrides(conditions: ConditionsResult) -> None:
    asked = evaluation(requires_approval=True, required_approvers=2, conditions=conditions)
    missing = outcome(asked, vote("ada", override=True))
    enough_votes = outcome(asked, vote("ada", override=True), vote("bob"))
    overrides = outcome(asked, vote("ada", override=True), vote("bob", override=True))

    assert isinstance(missing, Held)
    assert missing.reason is StatusReason.AWAITING_APPROVAL
    assert isinstance(enough_votes, Held)
    assert enough_votes.reason is StatusReason.CONDITIONS_UNMET
    assert overrides == Granted(vote("bob", override=True), overridden=True)


def test_requiring_approval_of_nobody_still_needs_one() -> None:
    assert isinstance(outcome(evaluation(requires_approval=True, required_approvers=0)), Held)


def test_true_conditions_hold_until_their_time_and_overrides_hold_on() -> None:
    asked = evaluation(conditions=ConditionsResult.TRUE, holds_until=NOW + timedelta(minutes=5))

    assert outcome(asked, after=timedelta(minutes=4)) == Granted()
    assert isinstance(outcome(asked, after=timedelta(minutes=5)), Held)
    assert outcome(asked, vote("ada", override=True), after=timedelta(hours=1)) == Granted(
        vote("ada", override=True), overridden=True
    )


def test_a_veto_and_a_refusal_end_it_whatever_else_was_said() -> None:
    refusal = Refusal(StatusReason.NOT_ELIGIBLE, "no such deployment")
    veto = vote("bob", decision=Decision.REJECT)

    assert outcome(evaluation(refusal=refusal), vote("ada", override=True)) == refusal
    assert outcome(evaluation(), vote("ada"), veto) == Vetoed(veto)


@pytest.mark.parametrize("voter", ["rita", "RITA", "Rita", "ｒｉｔａ", "rıta".replace("ı", "i")])
def test_the_requester_is_no_approver_in_any_spelling(voter: str) -> None:
    ballot = Ballot("rita", [vote(voter, override=True)])

    assert ballot.verdict(needed=1) == Waiting(present=0, needed=1)
    assert ballot.verdict(needed=1, overrides_only=True) == Waiting(present=0, needed=1)


@given(st.lists(st.tuples(st.sampled_from(["ada", "ADA", "bob", "Straße", "STRASSE", "rita"]), st.booleans())))
def test_as_many_are_for_it_as_there_are_people_who_are_not_the_requester(cast: list[tuple[str, bool]]) -> None:
    votes = [vote(voter, override=override) for voter, override in cast]
    people = {{"ada": "a", "bob": "b", "strasse": "s"}[v.voter.casefold()] for v in votes if v.voter != "rita"}

    assert approvals("rita", votes) == len(people)
    for needed in range(5):
        granted = isinstance(Ballot("rita", votes).verdict(needed=needed), Granted)
        assert granted == (len(people) >= needed)


@given(
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(list(ConditionsResult)),
    st.lists(st.tuples(st.sampled_from(["ada", "bob", "eve", "rita"]), st.booleans()), max_size=5),
)
def test_nothing_is_granted_without_its_approvals_or_against_its_conditions(
    requires_approval: bool, required: int, conditions: ConditionsResult, cast: list[tuple[str, bool]]
) -> None:
    asked = evaluation(requires_approval=requires_approval, required_approvers=required, conditions=conditions)
    votes = [vote(voter, override=override) for voter, override in cast]

    result = outcome(asked, *votes)

    people = {voter for voter, _ in cast if voter != "rita"}
    if isinstance(result, Granted):
        assert not requires_approval or len(people) >= max(1, required)
        assert conditions in MET or any(override for voter, override in cast if voter != "rita")
