"""What follows from an evaluation, the votes and the time: refused, vetoed, waiting or granted."""

from collections.abc import Sequence
from datetime import datetime

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult, StatusReason
from services.promotion.domain.approvals import Ballot, Granted, Vetoed, Waiting
from services.promotion.domain.promotion import Evaluation, Refusal, Vote


@dataclass(frozen=True, slots=True)
class Held:
    """Not yet: the reason is ``awaiting_approval`` or ``conditions_unmet``, the message says what is missing."""

    reason: StatusReason
    message: str


Outcome = Refusal | Vetoed | Held | Granted


def decide(evaluation: Evaluation, votes: Sequence[Vote], *, requester: str, now: datetime) -> Outcome:
    """Decide on a promotion; the same whether it is asked at the first evaluation or just before executing."""
    if evaluation.refusal is not None:
        return evaluation.refusal
    ballot = Ballot(requester, votes)
    needed = max(1, evaluation.required_approvers) if evaluation.requires_approval else 0
    plain = ballot.verdict(needed=needed)
    if isinstance(plain, Vetoed) or (isinstance(plain, Granted) and plain.overridden):
        return plain
    trouble = _trouble(evaluation, now)
    if trouble is None:
        return _awaiting(plain) if isinstance(plain, Waiting) else plain
    overrides = ballot.verdict(needed=max(1, needed), overrides_only=True)
    if isinstance(overrides, Granted):
        return overrides
    if isinstance(plain, Waiting):
        held = _awaiting(plain)
        return Held(held.reason, f"{held.message} {trouble}")
    return Held(StatusReason.CONDITIONS_UNMET, trouble)


def _awaiting(waiting: Waiting) -> Held:
    return Held(StatusReason.AWAITING_APPROVAL, f"It has {waiting.present} of {waiting.needed} approvals.")


def _trouble(evaluation: Evaluation, now: datetime) -> str | None:
    if evaluation.conditions is ConditionsResult.NONE:
        return None
    if evaluation.conditions is ConditionsResult.TRUE:
        if evaluation.holds_until is None or now < evaluation.holds_until:
            return None
        return "Its evidence has become too old; its conditions are being evaluated anew."
    verb = "do not hold" if evaluation.conditions is ConditionsResult.FALSE else "are not known to hold"
    return f"Its conditions {verb}{': ' + evaluation.summary if evaluation.summary else '.'}"
