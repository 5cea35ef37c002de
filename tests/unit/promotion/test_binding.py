"""Approvals mean something: they are for one thing and void when it changes; who breaks the glass does so loudly."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas.vocabulary import ConditionsResult, Decision, Execution, PromotionStatus, StatusReason
from services.promotion.domain import commands, lifecycle
from services.promotion.domain.binding import binding, counted
from services.promotion.domain.commands import OwnPromotion, TooLate
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.progress import dispatched, evaluated
from services.promotion.domain.promotion import Promotion, Refusal, RuleVersion
from tests.unit.promotion.promotions import cause, evaluated_to, evaluation, pending, vote

RULE = RuleVersion(UUID(int=9), 1, "four eyes")
NEEDS_TWO: dict[str, Any] = {"requires_approval": True, "required_approvers": 2, "rules": (RULE,)}
NEEDS_ONE: dict[str, Any] = NEEDS_TWO | {"required_approvers": 1}


def after(step: Transition | Promotion | None) -> Promotion:
    assert isinstance(step, Transition)
    return step.after


def approved_by(promotion: Promotion, *voters: str) -> Promotion:
    for voter in voters:
        promotion = after(commands.approve(promotion, vote(voter), cause(voter)))
    return promotion


CHANGES = [
    lambda p: replace(p, request=replace(p.request, source_deployment_id="dep-2")),
    lambda p: replace(p, request=replace(p.request, organization_id="globex")),
    lambda p: replace(p, request=replace(p.request, agent_id="agent-2")),
    lambda p: replace(p, request=replace(p.request, target_environment="production")),
    lambda p: replace(p, digest="sha256:bb"),
    lambda p: replace(p, deployment_version="1.4.1"),
    lambda p: replace(p, target_gateway_id="gw-other"),
    lambda p: replace(p, evaluation=replace(p.evaluation, rules=(RuleVersion(UUID(int=9), 2, "four eyes"),))),
    lambda p: replace(p, evaluation=replace(p.evaluation, rules=())),
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_of_what_was_approved_voids_the_approvals(change: Any) -> None:
    queued = approved_by(evaluated_to(pending(), **NEEDS_TWO), "ann", "bob")

    step = dispatched(change(queued), cause())

    assert queued.state == lifecycle.QUEUED
    assert step.after.state == lifecycle.APPROVED_CONDITIONS
    assert dispatched(queued, cause()).after.state == lifecycle.EXECUTING


def test_a_new_evaluation_by_the_same_rules_voids_nothing() -> None:
    waiting = approved_by(evaluated_to(pending(), **NEEDS_TWO), "ann")

    renewed = evaluated(waiting, evaluation(number=2, **NEEDS_TWO), cause())

    assert isinstance(renewed, Promotion)
    assert len(counted(renewed)) == 1


def test_the_order_of_the_rules_is_no_change() -> None:
    other = RuleVersion(UUID(int=3), 1, "tests")
    one = evaluated_to(pending(), requires_approval=True, required_approvers=1, rules=(RULE, other))
    two = evaluated_to(pending(), requires_approval=True, required_approvers=1, rules=(other, RULE))

    assert binding(one) == binding(two)


def test_a_void_approval_can_be_given_again_by_the_same_person() -> None:
    queued = approved_by(evaluated_to(pending(), **NEEDS_ONE), "ann")
    held = dispatched(replace(queued, digest="sha256:bb"), cause()).after

    again = approved_by(held, "ann")

    assert again.state == lifecycle.QUEUED
    assert dispatched(again, cause()).after.state == lifecycle.EXECUTING
    assert commands.approve(again, vote("ann"), cause("ann")) is None


def test_an_early_vote_is_for_what_the_first_evaluation_finds() -> None:
    early = approved_by(pending(), "ann")

    settled = after(evaluated(early, evaluation(**NEEDS_ONE), cause()))

    assert early.votes[0].binds is None
    assert settled.state == lifecycle.QUEUED
    assert settled.votes[0].binds == binding(settled)
    assert dispatched(replace(settled, digest="sha256:bb"), cause()).after.state != lifecycle.EXECUTING


def test_an_approval_by_a_credential_that_was_revoked_counts_no_more() -> None:
    queued = approved_by(evaluated_to(pending(), **NEEDS_TWO), "ann", "bob")
    revoked = replace(queued, votes=(replace(queued.votes[0], revoked=True), queued.votes[1]))

    held = dispatched(revoked, cause()).after

    assert held.state == lifecycle.APPROVED_CONDITIONS
    assert approved_by(held, "cleo").state == lifecycle.QUEUED


def test_a_veto_stays_whatever_changes_and_whoever_is_revoked() -> None:
    waiting = evaluated_to(pending(), **NEEDS_ONE)
    ended = after(commands.reject(waiting, vote("ann", decision=Decision.REJECT), cause("ann")))

    changed = replace(ended, digest="sha256:bb", votes=tuple(replace(v, revoked=True) for v in ended.votes))

    assert len(counted(changed)) == 1


def glass(promotion: Promotion, voter: str = "alma") -> Transition | None:
    broken = replace(vote(voter, override=True), breaks_glass=True)
    return commands.break_glass(promotion, broken, replace(cause(voter), evidence={"break_glass": True}))


@pytest.mark.parametrize(
    "needs",
    [
        NEEDS_TWO,
        NEEDS_TWO | {"conditions": ConditionsResult.FALSE},
        {"conditions": ConditionsResult.UNKNOWN},
        NEEDS_TWO | {"required_approvers": 20},
    ],
)
@pytest.mark.parametrize("voter", ["alma", "rita"])
def test_an_administrator_approves_alone_even_their_own_and_whatever_the_conditions(
    needs: dict[str, Any], voter: str
) -> None:
    broken = after(glass(evaluated_to(pending(), **needs), voter))

    assert broken.state == lifecycle.QUEUED
    assert broken.approved_by == voter
    assert broken.message.startswith(f"{voter} broke the glass: because")
    assert dispatched(broken, cause()).after.state == lifecycle.EXECUTING


def test_a_broken_glass_is_for_one_thing_too() -> None:
    broken = after(glass(evaluated_to(pending(), **NEEDS_TWO)))

    assert dispatched(replace(broken, digest="sha256:bb"), cause()).after.state == lifecycle.APPROVED_CONDITIONS


def test_to_break_it_twice_changes_nothing() -> None:
    waiting = evaluated_to(pending(), execution=Execution.MANUAL, **NEEDS_TWO)
    broken = after(glass(waiting))

    assert broken.state == lifecycle.AWAITING_EXECUTE
    assert glass(broken) is None


def test_before_the_rules_have_spoken_it_waits_for_them() -> None:
    broken = after(glass(pending()))

    settled = after(evaluated(broken, evaluation(**NEEDS_TWO), cause()))

    assert broken.state == lifecycle.EVALUATING
    assert settled.state == lifecycle.QUEUED


def test_it_does_not_make_eligible_what_is_not() -> None:
    broken = after(glass(pending()))

    settled = after(evaluated(broken, evaluation(refusal=Refusal(StatusReason.NOT_ELIGIBLE, "no")), cause()))

    assert settled.state == lifecycle.NOT_ELIGIBLE


def test_it_does_not_undo_a_rejection_and_comes_too_late_after_the_end() -> None:
    rejected = after(
        commands.reject(evaluated_to(pending(), **NEEDS_TWO), vote("bob", decision=Decision.REJECT), cause("bob"))
    )

    with pytest.raises(TooLate):
        glass(rejected)


def test_an_ordinary_approval_of_one_s_own_stays_refused() -> None:
    with pytest.raises(OwnPromotion):
        commands.approve(evaluated_to(pending(), **NEEDS_TWO), vote("RITA"), cause("RITA"))


def test_after_its_time_it_expires_instead() -> None:
    waiting = evaluated_to(pending(), **NEEDS_TWO, expires_after=timedelta(hours=1))
    late = replace(cause("alma"), at=waiting.expires_at, evidence={"break_glass": True})

    step = commands.break_glass(waiting, replace(vote("alma"), breaks_glass=True), late)

    assert step is not None
    assert step.after.state.status is PromotionStatus.REJECTED
    assert not step.cause.evidence["break_glass"]
