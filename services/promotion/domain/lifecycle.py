"""The state machine: one table of successors, and one way to move.

Whoever changes a promotion's state does it through ``move``; the database refuses on its own what the table does.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from schemas.values import dataclass
from schemas.vocabulary import PromotionStatus as Status
from schemas.vocabulary import StatusReason as Reason
from services.promotion.domain.promotion import DEFAULT_LIFETIME, Cause, Promotion, Request, State

EVALUATING = State(Status.PENDING, Reason.EVALUATING)
AWAITING_APPROVAL = State(Status.PENDING, Reason.AWAITING_APPROVAL)
PENDING_CONDITIONS = State(Status.PENDING, Reason.CONDITIONS_UNMET)
QUEUED = State(Status.APPROVED, Reason.QUEUED)
AWAITING_EXECUTE = State(Status.APPROVED, Reason.AWAITING_EXECUTE)
APPROVED_CONDITIONS = State(Status.APPROVED, Reason.CONDITIONS_UNMET)
EXECUTING = State(Status.APPROVED, Reason.EXECUTING)
COMPLETED = State(Status.COMPLETED, Reason.DEPLOYED)
REJECTED = State(Status.REJECTED, Reason.REJECTED)
CANCELLED = State(Status.REJECTED, Reason.CANCELLED)
EXPIRED = State(Status.REJECTED, Reason.EXPIRED)
SUPERSEDED = State(Status.REJECTED, Reason.SUPERSEDED)
NOT_ELIGIBLE = State(Status.REJECTED, Reason.NOT_ELIGIBLE)
GATEWAY_REFUSED = State(Status.FAILED, Reason.GATEWAY_REFUSED)
GATEWAY_UNREACHABLE = State(Status.FAILED, Reason.GATEWAY_UNREACHABLE)
TIMED_OUT = State(Status.FAILED, Reason.TIMED_OUT)

PENDING = frozenset({EVALUATING, AWAITING_APPROVAL, PENDING_CONDITIONS})
# Approved, and not yet past the point of no return.
HELD = frozenset({QUEUED, AWAITING_EXECUTE, APPROVED_CONDITIONS})
FAILED = frozenset({GATEWAY_REFUSED, GATEWAY_UNREACHABLE, TIMED_OUT})
_TAKEN_BACK = frozenset({CANCELLED, EXPIRED, SUPERSEDED})
_TURNED_DOWN = _TAKEN_BACK | {REJECTED, NOT_ELIGIBLE}
_ENDED = FAILED | {COMPLETED}
TERMINAL = _TURNED_DOWN | _ENDED

# A state that is its own successor takes entries that move nothing: a vote, an execute command.
SUCCESSORS: Mapping[State | None, frozenset[State]] = MappingProxyType(
    {
        None: frozenset({EVALUATING}),
        EVALUATING: PENDING | _TURNED_DOWN | {QUEUED, AWAITING_EXECUTE},
        AWAITING_APPROVAL: (PENDING - {EVALUATING}) | _TURNED_DOWN | {QUEUED, AWAITING_EXECUTE},
        PENDING_CONDITIONS: (PENDING - {EVALUATING}) | _TURNED_DOWN | {QUEUED, AWAITING_EXECUTE},
        QUEUED: _TAKEN_BACK | {APPROVED_CONDITIONS, EXECUTING},
        AWAITING_EXECUTE: _TAKEN_BACK | {APPROVED_CONDITIONS, QUEUED},
        APPROVED_CONDITIONS: _TAKEN_BACK | HELD,
        EXECUTING: _ENDED,
        **dict.fromkeys(TERMINAL, frozenset[State]()),
    }
)


class IllegalTransition(Exception):
    """A move that the table does not have: a mistake of the caller, never of a person."""

    def __init__(self, origin: State | None, to: State) -> None:
        super().__init__(f"a promotion cannot move from {_name(origin)} to {_name(to)}")


def _name(state: State | None) -> str:
    return "nothing" if state is None else f"{state.status}/{state.reason}"


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a promotion: one entry of its history, one ``promotion.changed``."""

    before: Promotion | None
    after: Promotion
    cause: Cause


def open_promotion(
    request: Request,
    cause: Cause,
    *,
    source_environment: str | None,
    target_gateway_id: str | None,
    deployment_version: str | None,
    digest: str | None,
) -> Transition:
    """Begin the life of a promotion."""
    promotion = Promotion(
        request=request,
        state=_checked(None, EVALUATING),
        message="Its rules are being evaluated.",
        version=1,
        changed_at=cause.at,
        source_environment=source_environment,
        target_gateway_id=target_gateway_id,
        deployment_version=deployment_version,
        digest=digest,
        expires_at=request.created_at + DEFAULT_LIFETIME,
    )
    return Transition(None, promotion, cause)


def move(promotion: Promotion, to: State, *, message: str, cause: Cause, **changes: Any) -> Transition:
    """Move ``promotion`` to the state ``to``; ``changes`` are fields that change with it.

    Raises IllegalTransition when the table has no such step.
    """
    cause = in_order(promotion, cause)
    if to in TERMINAL:
        changes["completed_at"] = cause.at
    after = promotion.but(
        state=_checked(promotion.state, to),
        message=message,
        version=promotion.version + 1,
        changed_at=cause.at,
        **changes,
    )
    return Transition(promotion, after, cause)


def in_order(promotion: Promotion, cause: Cause) -> Cause:
    """Give ``cause`` at a time that is not before the last step of ``promotion``.

    Who waited for the promotion's lock looked at the clock before the other one that it waited for had made its step.
    """
    return cause if cause.at >= promotion.changed_at else replace(cause, at=promotion.changed_at)


def _checked(origin: State | None, to: State) -> State:
    if to not in SUCCESSORS[origin]:
        raise IllegalTransition(origin, to)
    return to
