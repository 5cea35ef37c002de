"""What would move a promotion from where it stands, and who can do it. In sentences, for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.vocabulary import PromotionStatus, StatusReason
from services.rules.domain.decision import Decision
from services.rules.domain.promotion import Promotion

APPROVERS = "approvers other than the requester"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that would move it; ``at`` is set where the clock alone does."""

    what: str
    who: str
    at: datetime | None = None


def ways_on(promotion: Promotion, decision: Decision | None) -> list[Step]:
    """Give what would move ``promotion``; ``decision`` is what the rules say of it now."""
    match promotion.status_reason:
        case StatusReason.EVALUATING:
            return [Step("the evaluation of its rules", "the rules service, by itself")]
        case StatusReason.AWAITING_APPROVAL:
            return list(_approvals(promotion, override=False))
        case StatusReason.CONDITIONS_UNMET:
            return [*_conditions(decision), *_approvals(promotion, override=True)]
        case StatusReason.QUEUED:
            return [Step("the end of what executes on the gateway now", "the executor, by itself")]
        case StatusReason.AWAITING_EXECUTE:
            return [Step("the execute command", "executors")]
        case StatusReason.EXECUTING:
            return [Step("the gateway's answer", "the executor, by itself")]
        case _ if promotion.status in (PromotionStatus.REJECTED, PromotionStatus.FAILED):
            return [Step("a new promotion; this one has ended", "requesters")]
        case _:
            return []


def _approvals(promotion: Promotion, *, override: bool) -> Iterator[Step]:
    missing = max(0, (promotion.required_approvers or 0) - promotion.approvals)
    if override:
        yield Step("approvals that override the conditions, each with a reason", APPROVERS)
    if missing:
        yield Step(f"{missing} more approval{'s' if missing > 1 else ''}", APPROVERS)


def _conditions(decision: Decision | None) -> Iterator[Step]:
    if decision is None:
        return
    for verdict in decision.verdicts:
        if not verdict.holds:
            yield Step(f"{verdict.rule.name}: {verdict.summary}", "whoever reports its facts")
    if decision.next_change_at is not None:
        yield Step("the clock: conditions may change by then", "nobody has to act", decision.next_change_at)
