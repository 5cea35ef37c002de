"""How promotions move: evaluations, commands, dispatch and ends, as values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.vocabulary import ConditionsResult, Decision, Execution, StatusReason
from services.promotion.domain import commands, lifecycle, progress
from services.promotion.domain.commands import NotApproved, NotYours, OwnPromotion, TooLate
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Promotion, Refusal
from tests.unit.promotion.promotions import NOW, cause, evaluated_to, evaluation, pending, vote

APPROVAL = {"requires_approval": True, "required_approvers": 1}


def queued() -> Promotion:
    return evaluated_to(pending())


def executing() -> Promotion:
    return progress.dispatched(queued(), cause()).after


def test_a_free_promotion_is_approved_by_nobody_and_queued() -> None:
    promotion = queued()

    assert promotion.state == lifecycle.QUEUED
    assert (promotion.approved_by, promotion.approved_at) == (None, NOW)


def test_an_evaluation_not_above_the_last_changes_nothing() -> None:
    promotion = evaluated_to(pending(), number=3, **APPROVAL)

    assert progress.evaluated(promotion, evaluation(number=3), cause()) is None
    assert progress.evaluated(promotion, evaluation(number=2), cause()) is None


def test_an_evaluation_that_moves_nothing_is_kept_without_an_entry() -> None:
    promotion = evaluated_to(pending(), conditions=ConditionsResult.FALSE, summary="80")

    renewed = progress.evaluated(
        promotion, evaluation(number=2, conditions=ConditionsResult.FALSE, summary="90"), cause()
    )

    assert isinstance(renewed, Promotion)
    assert renewed.version == promotion.version
    assert "90" in renewed.message
    assert renewed.evaluation is not None
    assert renewed.evaluation.number == 2


def test_a_refusal_ends_what_is_pending_and_only_holds_what_is_approved() -> None:
    refusal = Refusal(StatusReason.NOT_ELIGIBLE, "it was removed")
    held = evaluated_to(pending(), execution=Execution.MANUAL)

    refused = progress.evaluated(pending(), evaluation(refusal=refusal), cause())
    holding = progress.evaluated(held, evaluation(number=2, refusal=refusal), cause())

    assert isinstance(refused, Transition)
    assert (refused.after.state, refused.after.rejection_reason) == (lifecycle.NOT_ELIGIBLE, "it was removed")
    assert isinstance(holding, Transition)
    assert (holding.after.state, holding.after.message) == (lifecycle.APPROVED_CONDITIONS, "it was removed")


def test_what_executes_or_has_ended_takes_no_evaluation() -> None:
    promotion = executing()
    done = progress.deployed(promotion, "dep-2", cause())

    assert progress.evaluated(promotion, evaluation(number=9), cause()) is None
    assert done is not None
    assert progress.evaluated(done.after, evaluation(number=9), cause()) is None


def test_without_a_known_version_nothing_is_promoted() -> None:
    unknown = replace(pending(), deployment_version=None)

    assert evaluated_to(unknown).state == lifecycle.NOT_ELIGIBLE


def test_dispatch_executes_and_remembers_as_which_version() -> None:
    promotion = executing()

    assert promotion.state == lifecycle.EXECUTING
    assert promotion.executing_version == promotion.version == 3


def test_dispatch_holds_what_has_lost_its_evidence_and_ends_what_has_expired() -> None:
    promotion = evaluated_to(pending(), conditions=ConditionsResult.TRUE, holds_until=NOW + timedelta(minutes=1))

    stale = progress.dispatched(promotion, cause(after=timedelta(minutes=2)))
    expired = progress.dispatched(promotion, cause(after=timedelta(days=30)))

    assert stale.after.state == lifecycle.APPROVED_CONDITIONS
    assert expired.after.state == lifecycle.EXPIRED


def test_better_evidence_queues_a_held_promotion_again_and_keeps_its_approval() -> None:
    promotion = evaluated_to(pending(), conditions=ConditionsResult.TRUE, holds_until=NOW + timedelta(minutes=1))
    held = progress.dispatched(promotion, cause(after=timedelta(minutes=2))).after

    again = progress.evaluated(held, evaluation(number=2), cause(after=timedelta(minutes=3)))

    assert isinstance(again, Transition)
    assert (again.after.state, again.after.approved_at) == (lifecycle.QUEUED, NOW)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (StatusReason.GATEWAY_REFUSED, lifecycle.GATEWAY_REFUSED),
        (StatusReason.GATEWAY_UNREACHABLE, lifecycle.GATEWAY_UNREACHABLE),
        (StatusReason.TIMED_OUT, lifecycle.TIMED_OUT),
        (StatusReason.EXPIRED, lifecycle.GATEWAY_REFUSED),
        (None, lifecycle.GATEWAY_REFUSED),
    ],
)
def test_a_failure_says_how(code: StatusReason | None, state: object) -> None:
    step = progress.failed(executing(), code, "no", cause())

    assert step is not None
    assert (step.after.state, step.after.message) == (state, "no")


def test_only_what_executes_completes_or_fails() -> None:
    for promotion in (pending(), queued()):
        assert progress.deployed(promotion, "dep-2", cause()) is None
        assert progress.failed(promotion, None, None, cause()) is None


def test_commands_that_come_too_late_say_where_the_promotion_stands() -> None:
    promotion = executing()

    for command in (
        lambda: commands.approve(promotion, vote("ada"), cause("ada")),
        lambda: commands.reject(promotion, vote("ada", decision=Decision.REJECT), cause("ada")),
        lambda: commands.cancel(promotion, reason=None, for_anyone=False, cause=cause("rita")),
    ):
        with pytest.raises(TooLate, match="executing"):
            command()


def test_votes_on_the_own_promotion_are_refused_in_any_spelling() -> None:
    for voter in ("rita", "RITA"):
        with pytest.raises(OwnPromotion):
            commands.approve(pending(), vote(voter), cause(voter))
        with pytest.raises(OwnPromotion):
            commands.reject(pending(), vote(voter, decision=Decision.REJECT), cause(voter))


def test_a_plain_vote_can_become_an_override_but_not_back() -> None:
    promotion = evaluated_to(pending(), conditions=ConditionsResult.FALSE, **APPROVAL)
    plain = commands.approve(promotion, vote("ada"), cause("ada"))
    assert plain is not None

    override = commands.approve(plain.after, vote("Ada", override=True), cause("Ada"))

    assert override is not None
    assert override.after.state == lifecycle.QUEUED
    assert len(override.after.votes) == 1
    assert commands.approve(override.after, vote("ada"), cause("ada")) is None


def test_a_rejection_replaces_an_approval_of_the_same_person() -> None:
    promotion = evaluated_to(pending(), requires_approval=True, required_approvers=2)
    approved = commands.approve(promotion, vote("ada"), cause("ada"))
    assert approved is not None

    rejected = commands.reject(approved.after, vote("ada", decision=Decision.REJECT), cause("ada"))

    assert rejected is not None
    assert (rejected.after.state, rejected.after.ended_by) == (lifecycle.REJECTED, "ada")
    assert [each.decision for each in rejected.after.votes] == [Decision.REJECT]


def test_cancel_belongs_to_the_requester_or_to_whoever_may_for_anyone() -> None:
    with pytest.raises(NotYours):
        commands.cancel(pending(), reason=None, for_anyone=False, cause=cause("ada"))

    by_admin = commands.cancel(pending(), reason="cleanup", for_anyone=True, cause=cause("alma"))

    assert by_admin is not None
    assert (by_admin.after.state, by_admin.after.rejection_reason) == (lifecycle.CANCELLED, "cleanup")
    assert commands.cancel(by_admin.after, reason=None, for_anyone=True, cause=cause("alma")) is None


def test_execute_needs_an_approval_and_starts_only_what_waits_for_it() -> None:
    manual = evaluated_to(pending(), execution=Execution.MANUAL)

    with pytest.raises(NotApproved):
        commands.execute(pending(), for_anyone=True, cause=cause("eve"))
    with pytest.raises(NotYours):
        commands.execute(manual, for_anyone=False, cause=cause("bob"))
    started = commands.execute(manual, for_anyone=False, cause=cause("rita"))
    assert started is not None
    assert (started.after.state, started.after.released) == (lifecycle.QUEUED, True)
    assert commands.execute(started.after, for_anyone=True, cause=cause("eve")) is None
    assert commands.execute(executing(), for_anyone=True, cause=cause("eve")) is None


def test_execute_on_held_evidence_is_remembered_once() -> None:
    manual = evaluated_to(pending(), execution=Execution.MANUAL)
    worse = progress.evaluated(
        manual, evaluation(number=2, conditions=ConditionsResult.FALSE, execution=Execution.MANUAL), cause()
    )
    assert isinstance(worse, Transition)

    remembered = commands.execute(worse.after, for_anyone=True, cause=cause("eve"))

    assert remembered is not None
    assert remembered.after.state == lifecycle.APPROVED_CONDITIONS
    assert commands.execute(remembered.after, for_anyone=True, cause=cause("eve")) is None
    better = progress.evaluated(remembered.after, evaluation(number=3, execution=Execution.MANUAL), cause())
    assert isinstance(better, Transition)
    assert better.after.state == lifecycle.QUEUED
