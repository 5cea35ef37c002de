"""The state machine: the table of successors is the whole truth, and one way to move keeps to it."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from schemas.vocabulary import PromotionStatus
from services.promotion.domain import lifecycle
from services.promotion.domain.lifecycle import SUCCESSORS, IllegalTransition, move
from services.promotion.domain.progress import dispatched
from services.promotion.domain.promotion import State
from tests.unit.promotion.promotions import NOW, cause, evaluated_to, pending

STATES = sorted(state for state in SUCCESSORS if state is not None)
PAIRS = list(product(STATES, STATES))
_RANK = {
    PromotionStatus.PENDING: 0,
    PromotionStatus.APPROVED: 1,
    PromotionStatus.REJECTED: 2,
    PromotionStatus.COMPLETED: 2,
    PromotionStatus.FAILED: 2,
}


@pytest.mark.parametrize(("origin", "to"), [pair for pair in PAIRS if pair[1] not in SUCCESSORS[pair[0]]])
def test_every_step_outside_the_table_is_refused(origin: State, to: State) -> None:
    promotion = replace(pending(), state=origin)

    with pytest.raises(IllegalTransition, match=f"{origin.reason} to {to.status}/{to.reason}"):
        move(promotion, to, message="", cause=cause())


@pytest.mark.parametrize(("origin", "to"), [pair for pair in PAIRS if pair[1] in SUCCESSORS[pair[0]]])
def test_every_step_in_the_table_raises_the_version_by_one_and_never_goes_backwards(origin: State, to: State) -> None:
    promotion = replace(pending(), state=origin, version=7)

    step = move(promotion, to, message="it moved", cause=cause("ada"))

    assert (step.after.state, step.after.version, step.after.message) == (to, 8, "it moved")
    assert step.before == promotion
    assert step.cause.actor == "ada"
    assert _RANK[to.status] >= _RANK[origin.status]


def test_a_step_is_never_dated_before_the_one_that_it_follows() -> None:
    promotion = replace(pending(), changed_at=NOW)

    step = move(promotion, lifecycle.CANCELLED, message="", cause=cause("rita", after=timedelta(seconds=-1)))

    assert (step.cause.at, step.after.changed_at, step.after.completed_at) == (NOW, NOW, NOW)


def test_execution_never_begins_before_the_approval_that_it_follows() -> None:
    promotion = replace(evaluated_to(pending()), changed_at=NOW)

    step = dispatched(promotion, cause(after=timedelta(seconds=-1)))

    assert (step.cause.at, step.after.executing_at) == (NOW, NOW)


def test_the_end_has_no_successor_and_only_the_end_has_none() -> None:
    without = {state for state, successors in SUCCESSORS.items() if not successors}

    assert without == lifecycle.TERMINAL
    assert {state.status for state in without} == {
        PromotionStatus.REJECTED,
        PromotionStatus.COMPLETED,
        PromotionStatus.FAILED,
    }


def test_only_what_is_queued_begins_to_execute_and_what_executes_is_never_taken_back() -> None:
    into = {origin for origin, successors in SUCCESSORS.items() if lifecycle.EXECUTING in successors}

    assert into == {lifecycle.QUEUED}
    assert SUCCESSORS[lifecycle.EXECUTING] == lifecycle.FAILED | {lifecycle.COMPLETED}


def test_every_state_can_be_reached_and_every_life_can_end() -> None:
    reached: set[State] = set()
    ahead = set(SUCCESSORS[None])
    while ahead:
        reached |= ahead
        ahead = {after for state in ahead for after in SUCCESSORS[state]} - reached

    assert reached == set(STATES)
    assert SUCCESSORS[None] == {lifecycle.EVALUATING}
