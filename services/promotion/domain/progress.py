"""How a promotion moves without a person: evaluated, dispatched, superseded, expired, completed.

Each function gives the one step that follows, or says that none does.
"""

from dataclasses import replace
from datetime import datetime

from schemas.vocabulary import Execution, StatusReason
from services.promotion.domain import lifecycle
from services.promotion.domain.approvals import Granted, Vetoed
from services.promotion.domain.binding import bound, counted
from services.promotion.domain.decision import Held, Outcome, decide
from services.promotion.domain.lifecycle import Transition, move
from services.promotion.domain.promotion import Cause, Evaluation, Promotion, Refusal, State

_PENDING_FOR = {
    StatusReason.AWAITING_APPROVAL: lifecycle.AWAITING_APPROVAL,
    StatusReason.CONDITIONS_UNMET: lifecycle.PENDING_CONDITIONS,
}
_FAILED_FOR = {state.reason: state for state in lifecycle.FAILED}
QUEUED_MESSAGE = "It waits for its turn on the gateway."
MANUAL_MESSAGE = "It waits for the execute command."


def evaluated(promotion: Promotion, evaluation: Evaluation, cause: Cause) -> Transition | Promotion | None:
    """Take in an evaluation: a transition, the promotion with the evaluation alone renewed, or None if it is stale."""
    if promotion.state not in lifecycle.PENDING | lifecycle.HELD:
        return None
    if promotion.evaluation is not None and evaluation.number <= promotion.evaluation.number:
        return None
    expires_at = promotion.request.created_at + evaluation.expires_after
    informed = promotion.but(evaluation=evaluation, expires_at=expires_at)
    if promotion.evaluation is None:
        informed = informed.but(votes=bound(informed))
    if cause.at >= expires_at:
        return replace(expired(informed, cause), before=promotion)
    outcome = _outcome(informed, cause.at)
    state, message = _standing(informed, outcome)
    if state == informed.state:
        return informed.but(message=message)
    return replace(_settled(informed, outcome, cause), before=promotion)


def voted(promotion: Promotion, cause: Cause) -> Transition:
    """Enter a vote that ``promotion`` already carries, with what follows from it."""
    return _settled(promotion, _outcome(promotion, cause.at), cause)


def _settled(promotion: Promotion, outcome: Outcome | None, cause: Cause) -> Transition:
    state, message = _standing(promotion, outcome)
    cause = lifecycle.in_order(promotion, cause)
    changes: dict[str, object] = {}
    if isinstance(outcome, Granted) and promotion.approved_at is None:
        changes = {"approved_at": cause.at, "approved_by": outcome.deciding.voter if outcome.deciding else None}
    elif state in lifecycle.TERMINAL:
        changes = {"rejection_reason": message}
    return move(promotion, state, message=message, cause=cause, **changes)


def dispatched(promotion: Promotion, cause: Cause) -> Transition:
    """Start a queued promotion whose slot is free, unless it expired or its evidence went bad meanwhile."""
    cause = lifecycle.in_order(promotion, cause)
    if cause.at >= promotion.expires_at:
        return expired(promotion, cause)
    outcome = _outcome(promotion, cause.at)
    if not isinstance(outcome, Granted):
        message = "It was never evaluated." if outcome is None else _message(outcome)
        return move(promotion, lifecycle.APPROVED_CONDITIONS, message=message, cause=cause)
    return move(
        promotion,
        lifecycle.EXECUTING,
        message=f"The deployment is being created on gateway {promotion.target_gateway_id}.",
        cause=cause,
        executing_at=cause.at,
        executing_version=promotion.version + 1,
    )


def superseded(promotion: Promotion, by: Promotion, cause: Cause) -> Transition:
    """End a promotion because ``by``, a later one of its slot, has begun to execute."""
    message = f"The later promotion {by.request.id} to the same gateway began to execute."
    return move(
        promotion,
        lifecycle.SUPERSEDED,
        message=message,
        cause=cause,
        rejection_reason=message,
    )


def expired(promotion: Promotion, cause: Cause) -> Transition:
    """End a promotion that did not begin to execute in time."""
    message = f"It did not begin to execute before {promotion.expires_at.isoformat(timespec='seconds')}."
    return move(promotion, lifecycle.EXPIRED, message=message, cause=cause, rejection_reason=message)


def turned_away(promotion: Promotion, message: str, cause: Cause) -> Transition:
    """End a promotion that should not have been asked for."""
    return move(promotion, lifecycle.NOT_ELIGIBLE, message=message, cause=cause, rejection_reason=message)


def deployed(promotion: Promotion, deployment_id: str, cause: Cause) -> Transition | None:
    """End an executing promotion whose deployment is live; None where it is not executing."""
    if promotion.state != lifecycle.EXECUTING:
        return None
    return move(
        promotion,
        lifecycle.COMPLETED,
        message=f"Deployment {deployment_id} is live on gateway {promotion.target_gateway_id}.",
        cause=cause,
        target_deployment_id=deployment_id,
    )


def failed(promotion: Promotion, code: StatusReason | None, error: str | None, cause: Cause) -> Transition | None:
    """End an executing promotion of which no deployment is live; None where it is not executing."""
    if promotion.state != lifecycle.EXECUTING:
        return None
    state = _FAILED_FOR.get(code or StatusReason.GATEWAY_REFUSED, lifecycle.GATEWAY_REFUSED)
    return move(
        promotion,
        state,
        message=error or f"Gateway {promotion.target_gateway_id} did not create the deployment.",
        cause=cause,
    )


def _outcome(promotion: Promotion, now: datetime) -> Outcome | None:
    if promotion.evaluation is None:
        return None
    if promotion.evaluation.refusal is None and not (promotion.deployment_version and promotion.target_gateway_id):
        return Refusal(StatusReason.NOT_ELIGIBLE, "The version of its source deployment or its gateway is not known.")
    return decide(promotion.evaluation, counted(promotion), requester=promotion.request.created_by, now=now)


def _standing(promotion: Promotion, outcome: Outcome | None) -> tuple[State, str]:
    if outcome is None:
        return promotion.state, promotion.message
    pending = promotion.state in lifecycle.PENDING
    if isinstance(outcome, Granted):
        if not pending and promotion.state != lifecycle.APPROVED_CONDITIONS:
            return promotion.state, promotion.message
        manual = promotion.evaluation is not None and promotion.evaluation.execution is Execution.MANUAL
        if manual and not promotion.released:
            return lifecycle.AWAITING_EXECUTE, MANUAL_MESSAGE
        return lifecycle.QUEUED, QUEUED_MESSAGE
    if not pending:
        # A refusal after the approval holds it back like any evidence gone bad: an approval is never undone.
        return lifecycle.APPROVED_CONDITIONS, _message(outcome)
    match outcome:
        case Held():
            return _PENDING_FOR[outcome.reason], outcome.message
        case Refusal():
            return lifecycle.NOT_ELIGIBLE, outcome.message
        case Vetoed():
            return lifecycle.REJECTED, _message(outcome)


def _message(outcome: Held | Refusal | Vetoed) -> str:
    match outcome:
        case Vetoed(vote):
            return f"{vote.voter} rejected it: {vote.reason}" if vote.reason else f"{vote.voter} rejected it."
        case Held() | Refusal():
            return outcome.message
