"""What would move a promotion: every reason has its way, and what has ended well has none."""

from datetime import timedelta

import pytest

from schemas.vocabulary import ConditionsResult, PromotionStatus, StatusReason
from services.rules.domain.decision import decide
from services.rules.domain.verdict import Verdict
from services.rules.domain.ways import APPROVERS, Step, ways_on
from tests.unit.rules_service.samples import NOW, a_promotion, a_rule

OVERRIDE = Step("approvals that override the conditions, each with a reason", APPROVERS)


@pytest.mark.parametrize(
    ("status", "reason", "what", "who"),
    [
        ("pending", "evaluating", "the evaluation of its rules", "the rules service, by itself"),
        ("pending", "awaiting_approval", "1 more approval", APPROVERS),
        ("approved", "queued", "the end of what executes on the gateway now", "the executor, by itself"),
        ("approved", "awaiting_execute", "the execute command", "executors"),
        ("approved", "executing", "the gateway's answer", "the executor, by itself"),
        ("rejected", "superseded", "a new promotion; this one has ended", "requesters"),
        ("failed", "timed_out", "a new promotion; this one has ended", "requesters"),
    ],
)
def test_each_reason_has_its_way(status: str, reason: str, what: str, who: str) -> None:
    promotion = a_promotion(status=PromotionStatus(status), status_reason=StatusReason(reason))

    assert ways_on(promotion, None) == [Step(what, who)]


def test_what_is_deployed_goes_nowhere() -> None:
    deployed = a_promotion(status=PromotionStatus.COMPLETED, status_reason=StatusReason.DEPLOYED)

    assert ways_on(deployed, None) == []


def test_approvals_that_are_there_are_not_asked_for() -> None:
    some = a_promotion(required_approvers=3, approvals=1)
    enough = a_promotion(required_approvers=1, approvals=1)

    assert ways_on(some, None) == [Step("2 more approvals", APPROVERS)]
    assert ways_on(enough, None) == []


def test_conditions_that_do_not_hold_are_named_and_may_be_overridden() -> None:
    held = a_promotion(status_reason=StatusReason.CONDITIONS_UNMET, required_approvers=None)
    soon = NOW + timedelta(minutes=5)
    bad = Verdict(a_rule("errors"), ConditionsResult.FALSE, soon, "metrics.error_rate is 0.2", None)
    good = Verdict(a_rule("tests"), ConditionsResult.TRUE, None, "tests.pass_rate is 100", None)
    none = Verdict(a_rule("free", conditions=None), ConditionsResult.NONE, None, "no conditions", None)

    ways = ways_on(held, decide(("development", "staging"), [bad, good, none]))

    assert ways == [
        Step("errors: metrics.error_rate is 0.2", "whoever reports its facts"),
        Step("the clock: conditions may change by then", "nobody has to act", soon),
        OVERRIDE,
    ]
    assert ways_on(held, None) == [OVERRIDE]
