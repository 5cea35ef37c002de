"""The course of an execution: which call comes when, and how it ends."""

from datetime import timedelta
from itertools import product

import pytest

from schemas.vocabulary import StatusReason
from services.executor.domain.answers import (
    Absent,
    Call,
    Conflict,
    Created,
    Denied,
    Exists,
    Fenced,
    Refused,
    Reply,
    Unknown,
    Unsent,
)
from services.executor.domain.course import Again, Failed, Outcome, Succeeded, first_step, next_step
from services.executor.domain.execution import (
    SUCCESSORS,
    Execution,
    ExecutionStatus,
    IllegalMove,
    checked_move,
)
from tests.unit.executor.executions import START, execution

S = ExecutionStatus
PAST_DEADLINE = START + timedelta(minutes=15)
PAST_HOPE = START + timedelta(minutes=15, seconds=30)


def follow(begun: Execution, call: Call, reply: Reply, *, seconds: float = 1.0) -> Call | Outcome:
    _, step = next_step(begun, call, reply, now=START + timedelta(seconds=seconds), jitter=1.0)
    return step


@pytest.mark.parametrize(
    ("status", "doubtful", "call"),
    [(S.CALLING, False, Call.PUT), (S.LOOKING_UP, True, Call.LOOK_UP), (S.FENCING, True, Call.FENCE)],
)
def test_a_lease_begins_with(status: ExecutionStatus, doubtful: bool, call: Call) -> None:
    _, step = first_step(execution(status=status, doubtful=doubtful), now=START)

    assert step is call


@pytest.mark.parametrize("call", [Call.PUT, Call.LOOK_UP])
@pytest.mark.parametrize("reply", [Created(), Exists()])
def test_what_is_there_succeeded(call: Call, reply: Reply) -> None:
    assert follow(execution(), call, reply) == Succeeded()


def test_what_is_not_there_is_put_again() -> None:
    assert follow(execution(status=S.LOOKING_UP, doubtful=True), Call.LOOK_UP, Absent()) is Call.PUT


def test_past_the_deadline_what_is_not_there_is_fenced_and_not_put_again() -> None:
    begun = execution(status=S.LOOKING_UP, doubtful=True)

    assert follow(begun, Call.LOOK_UP, Absent(), seconds=15 * 60) is Call.FENCE


@pytest.mark.parametrize("reply", [Refused("no"), Conflict("other"), Fenced("gone")])
@pytest.mark.parametrize("call", [Call.PUT, Call.LOOK_UP])
def test_nothing_fails_before_it_is_fenced(call: Call, reply: Reply) -> None:
    fencing, step = next_step(execution(), call, reply, now=START, jitter=1.0)

    assert step is Call.FENCE
    assert follow(fencing, Call.FENCE, Fenced("")) == Failed(StatusReason.GATEWAY_REFUSED, reply.reason)  # type: ignore[union-attr]


def test_an_unknown_put_is_looked_up_next() -> None:
    step = follow(execution(), Call.PUT, Unknown("time-out"))

    assert isinstance(step, Again)
    assert (step.execution.status, step.execution.doubtful) == (S.LOOKING_UP, True)


@pytest.mark.parametrize("reply", [Unsent("refused"), Denied("401")])
def test_what_certainly_had_no_effect_leaves_no_doubt(reply: Reply) -> None:
    step = follow(execution(), Call.PUT, reply)

    assert isinstance(step, Again)
    assert (step.execution.status, step.execution.doubtful) == (S.WAITING, False)


def test_doubt_stays_whatever_comes_after_it() -> None:
    step = follow(execution(status=S.LOOKING_UP, doubtful=True), Call.PUT, Unsent("refused"))

    assert isinstance(step, Again)
    assert step.execution.status is S.LOOKING_UP


def test_at_the_deadline_doubt_is_fenced_and_timed_out() -> None:
    fencing, step = first_step(execution(status=S.LOOKING_UP, doubtful=True, last_error="500"), now=PAST_DEADLINE)

    assert step is Call.FENCE
    assert follow(fencing, Call.FENCE, Fenced("")) == Failed(StatusReason.TIMED_OUT, "500")


def test_at_the_deadline_what_was_never_sent_fails_at_once_and_leaves_no_orphan() -> None:
    _, step = first_step(execution(), now=PAST_DEADLINE)

    assert isinstance(step, Failed)
    assert (step.verdict, step.orphaned) == (StatusReason.GATEWAY_UNREACHABLE, False)


def test_a_wrong_credential_is_named_at_the_deadline() -> None:
    step = follow(execution(), Call.PUT, Denied("401 wrong credential"))
    assert isinstance(step, Again)

    _, end = first_step(step.execution, now=PAST_DEADLINE)

    assert end == Failed(StatusReason.GATEWAY_REFUSED, "401 wrong credential")


def test_an_unconfirmed_fence_is_tried_again_and_given_up_with_an_orphan() -> None:
    begun = execution(status=S.FENCING, doubtful=True, verdict=StatusReason.TIMED_OUT)
    step = follow(begun, Call.FENCE, Unknown("500"), seconds=15 * 60)
    assert isinstance(step, Again)

    _, end = first_step(step.execution, now=PAST_HOPE)

    assert step.execution.status is S.FENCING
    assert step.due_at <= PAST_HOPE
    assert isinstance(end, Failed)
    assert (end.verdict, end.orphaned) == (StatusReason.GATEWAY_UNREACHABLE, True)


def test_a_plain_refusal_whose_fence_is_not_confirmed_is_still_a_refusal() -> None:
    fencing, _ = next_step(execution(), Call.PUT, Refused("422 bad"), now=START, jitter=1.0)
    step = follow(fencing, Call.FENCE, Unknown("405"))
    assert isinstance(step, Again)

    _, end = first_step(step.execution, now=START + timedelta(seconds=31))

    assert end == Failed(StatusReason.GATEWAY_REFUSED, "422 bad")


def test_other_content_under_the_key_whose_fence_is_not_confirmed_leaves_an_orphan() -> None:
    fencing, _ = next_step(execution(), Call.PUT, Conflict("other"), now=START, jitter=1.0)

    _, end = first_step(fencing, now=START + timedelta(seconds=30))

    assert isinstance(end, Failed)
    assert end.orphaned


@pytest.mark.parametrize(("asked", "seconds"), [(None, 0.25), (9.0, 9.0), (86_400.0, 899.0)])
def test_a_gateway_is_given_the_time_that_it_asks_for_up_to_the_deadline(asked: float | None, seconds: float) -> None:
    step = follow(execution(), Call.PUT, Unknown("busy", asked), seconds=1)

    assert isinstance(step, Again)
    assert step.due_at == START + timedelta(seconds=1 + seconds)
    assert step.asked_to_wait is (asked is not None)


@pytest.mark.parametrize(("before", "after"), list(product(S, S)))
def test_only_the_moves_in_the_table_are_made(before: ExecutionStatus, after: ExecutionStatus) -> None:
    if after in SUCCESSORS[before]:
        assert checked_move(before, after) is after
    else:
        with pytest.raises(IllegalMove, match=f"{before} to {after}"):
            checked_move(before, after)


def test_a_finished_execution_moves_no_more_and_a_fencing_one_only_fails() -> None:
    assert SUCCESSORS[S.SUCCEEDED] == SUCCESSORS[S.FAILED] == frozenset()
    assert SUCCESSORS[S.FENCING] == {S.FENCING, S.FAILED}
