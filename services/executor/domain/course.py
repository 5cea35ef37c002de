"""The course of one execution: which call comes next, and what its reply makes of the execution.

Nothing fails before the gateway has confirmed that it will not be live, or before that is known to be beyond reach.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from schemas.values import dataclass
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
from services.executor.domain.execution import Execution, ExecutionStatus
from services.executor.domain.retry import delay_seconds

# How long the gateway is asked to confirm a fence before it counts as beyond reach.
FENCING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The deployment is live."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It came to nothing; ``orphaned`` where something may be live all the same and has to be fenced on."""

    verdict: StatusReason
    error: str
    orphaned: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """It goes on at ``due_at``, in the state of ``execution``."""

    execution: Execution
    due_at: datetime
    asked_to_wait: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """It was claimed but not begun; somebody else may take it at once."""


Outcome = Succeeded | Failed | Again | Released
Step = tuple[Execution, Call | Outcome]


def first_step(execution: Execution, *, now: datetime) -> Step:
    """Say how the holder of a fresh lease begins."""
    if now >= execution.give_up_at:
        return execution, give_up(execution)
    if execution.status is ExecutionStatus.FENCING:
        return execution, Call.FENCE
    if now >= execution.deadline_at:
        return _at_deadline(execution)
    return execution, Call.LOOK_UP if execution.status is ExecutionStatus.LOOKING_UP else Call.PUT


def next_step(execution: Execution, call: Call, reply: Reply, *, now: datetime, jitter: float) -> Step:
    """Say what follows ``reply`` to ``call``; ``jitter`` is from 0 to 1."""
    match reply:
        case Created() | Exists():
            return execution, Succeeded()
        case Fenced():
            return _after_fence(execution, call, reply, now=now)
        case Absent():
            return (execution, Call.PUT) if now < execution.deadline_at else _at_deadline(execution)
        case Refused():
            return _fence(execution, reply.reason, now=now)
        case Conflict():
            return _fence(replace(execution, doubtful=True), reply.reason, now=now)
        case Denied():
            denied = execution if execution.verdict else replace(execution, verdict=StatusReason.GATEWAY_REFUSED)
            return _again(denied, reply, now=now, jitter=jitter)
        case Unsent():
            return _again(execution, reply, now=now, jitter=jitter)
        case Unknown():
            doubtful = replace(execution, doubtful=True) if call is Call.PUT else execution
            return _again(doubtful, reply, now=now, jitter=jitter)
    assert_never(reply)


def give_up(execution: Execution) -> Failed:
    """End an execution whose gateway did not even confirm the fence in time."""
    why = execution.last_error or "it was never called"
    if execution.doubtful:
        return Failed(StatusReason.GATEWAY_UNREACHABLE, f"the gateway did not confirm a fence: {why}", orphaned=True)
    if execution.verdict is not None:
        return Failed(execution.verdict, why)
    return Failed(StatusReason.GATEWAY_UNREACHABLE, f"the gateway was not reached before the deadline: {why}")


def _at_deadline(execution: Execution) -> Step:
    if execution.doubtful:
        verdict = StatusReason.TIMED_OUT
        return replace(execution, status=ExecutionStatus.FENCING, verdict=verdict), Call.FENCE
    return execution, give_up(execution)


def _fence(execution: Execution, reason: str, *, now: datetime) -> Step:
    fencing = replace(
        execution,
        status=ExecutionStatus.FENCING,
        verdict=StatusReason.GATEWAY_REFUSED,
        last_error=reason,
        give_up_at=min(execution.give_up_at, now + timedelta(seconds=FENCING_SECONDS)),
    )
    return fencing, Call.FENCE


def _after_fence(execution: Execution, call: Call, reply: Fenced, *, now: datetime) -> Step:
    if call is not Call.FENCE:
        # Somebody fenced it before. That is said to be final, yet only our own fence is known to be.
        return _fence(execution, reply.reason, now=now)
    why = execution.last_error or "there was no clear answer before the deadline"
    return execution, Failed(execution.verdict or StatusReason.TIMED_OUT, why)


def _again(execution: Execution, reply: Denied | Unsent | Unknown, *, now: datetime, jitter: float) -> Step:
    age_seconds = (now - execution.received_at).total_seconds()
    wait_seconds = delay_seconds(attempts=execution.attempts, age_seconds=age_seconds, jitter=jitter)
    asked_seconds = reply.retry_after_seconds if isinstance(reply, Unknown) else None
    due_at = now + timedelta(seconds=max(wait_seconds, asked_seconds or 0.0))
    if execution.status is ExecutionStatus.FENCING:
        # What it was refused for is worth more than why the fence is not confirmed yet.
        refused = execution.verdict is StatusReason.GATEWAY_REFUSED
        waiting = execution if refused else replace(execution, last_error=reply.reason)
        bound = execution.give_up_at
    else:
        status = ExecutionStatus.LOOKING_UP if execution.doubtful else ExecutionStatus.WAITING
        waiting = replace(execution, status=status, last_error=reply.reason)
        bound = execution.deadline_at if now < execution.deadline_at else execution.give_up_at
    return waiting, Again(waiting, due_at=min(due_at, bound), asked_to_wait=asked_seconds is not None)
