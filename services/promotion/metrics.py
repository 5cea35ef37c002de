"""What the promotion service shows of promotions; counts and times only, so that nobody's names are read from them."""

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from schemas.vocabulary import PromotionStatus
from services.promotion.domain import lifecycle
from services.promotion.domain.lifecycle import Transition

_DAY = 86_400.0
STEPS = Counter("promotion_steps", "Steps of promotions by where they lead to", ["status", "reason"])
EVALUATION_SECONDS = Histogram(
    "promotion_evaluation_seconds", "Time from a request to its first decision",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)  # fmt: skip
LEAD_SECONDS = Histogram(
    "promotion_lead_seconds", "Time from a request to its completion, people's included",
    buckets=(0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, _DAY / 4, _DAY, 3 * _DAY, 7 * _DAY),
)  # fmt: skip
EXECUTION_SECONDS = Histogram(
    "promotion_execution_seconds", "Time from the order to execute to its end",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0),
)  # fmt: skip


def count(made: Sequence[Transition]) -> None:
    """Count steps, with the transaction that writes them."""
    tally = Tally((step.after.state.status.value, step.after.state.reason.value) for step in made)
    for (status, reason), times in tally.items():
        STEPS.labels(status, reason).inc(times)
    for step in made:
        _time(step)


def _time(step: Transition) -> None:
    before, after, at = step.before, step.after, step.cause.at
    if before is not None and before.state == lifecycle.EVALUATING:
        EVALUATION_SECONDS.observe((at - after.request.created_at).total_seconds())
    if after.state.status is PromotionStatus.COMPLETED:
        LEAD_SECONDS.observe((at - after.request.created_at).total_seconds())
    if before is not None and before.executing_at is not None and after.state in lifecycle.TERMINAL:
        EXECUTION_SECONDS.observe((at - before.executing_at).total_seconds())
