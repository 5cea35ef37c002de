"""The event that tells of an evaluation: always small enough for Kafka."""

from schemas.cloudevents import encode
from schemas.events import RulesEvaluated
from services.platform.messaging.outbox import MAX_RECORD_BYTES
from services.rules.domain.conditions.limits import LONGEST_STRING
from services.rules.domain.decision import decide
from services.rules.domain.evaluated import FEW_RULES, Target, decided
from services.rules.domain.facts import Facts
from services.rules.domain.rule import Rule
from services.rules.domain.verdict import judge
from tests.unit.rules_service.samples import NOW, a_request, a_rule

TARGET = Target("development", "gw-staging", "1.0.0", None)


def long_rule(number: int) -> Rule:
    text = "x" * LONGEST_STRING
    leaves = [{"field": "deployment.version", "op": "eq", "value": f"{text[:-3]}{place}"} for place in range(45)]
    return a_rule(f"rule {number}", conditions={"all": leaves})


def told(rules: int) -> tuple[RulesEvaluated, int]:
    verdicts = [judge(long_rule(number), Facts(), NOW, deployment_id="dep-1") for number in range(rules)]
    event = decided(a_request(), 1, target=TARGET, decision=decide(("development", "staging"), verdicts), now=NOW)
    assert isinstance(event.data, RulesEvaluated)
    return event.data, len(encode(event).value or b"")


def test_a_few_rules_are_explained_whole_and_fit() -> None:
    evaluated, size_bytes = told(FEW_RULES)

    assert evaluated.explanation is not None
    assert len(evaluated.explanation["rules"]) == FEW_RULES
    assert size_bytes < MAX_RECORD_BYTES


def test_of_many_long_rules_some_explanations_are_left_out_and_all_rules_named() -> None:
    evaluated, size_bytes = told(200)

    assert evaluated.explanation is not None
    assert len(evaluated.explanation["rules"]) + evaluated.explanation["rules_left_out"] == 200
    assert len(evaluated.rules) == 200
    assert size_bytes < MAX_RECORD_BYTES
