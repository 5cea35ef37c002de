"""What the conditions of one rule amount to for one deployment. Compiled once a rule version."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult
from services.rules.domain.conditions import CompiledConditions, compile_conditions, evaluate, explain, next_change
from services.rules.domain.facts import Facts
from services.rules.domain.rule import Rule

_COMPILED = 20_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's conditions at one instant; ``next_change_at`` is when the clock alone may change them."""

    rule: Rule
    result: ConditionsResult
    next_change_at: datetime | None
    summary: str
    explanation: Mapping[str, object] | None

    @property
    def holds(self) -> bool:
        """Tell whether nothing of this rule's conditions is in the way."""
        return self.result in (ConditionsResult.NONE, ConditionsResult.TRUE)


def compiled(rule: Rule) -> CompiledConditions | None:
    """Give the compiled conditions of a rule that was accepted, or None where it has none."""
    if not rule.conditions:
        return None
    return _compiled(json.dumps(rule.conditions))


@lru_cache(_COMPILED)
def _compiled(document: str) -> CompiledConditions:
    return compile_conditions(json.loads(document))


def result_of(rule: Rule, facts: Facts, now: datetime) -> ConditionsResult:
    """Evaluate without explaining."""
    conditions = compiled(rule)
    if conditions is None:
        return ConditionsResult.NONE
    return ConditionsResult(evaluate(conditions, facts, now))


def next_change_of(rule: Rule, facts: Facts, now: datetime) -> datetime | None:
    """Give the next instant at which the clock alone may change the rule's conditions."""
    conditions = compiled(rule)
    return None if conditions is None else next_change(conditions, facts, now)


def judge(rule: Rule, facts: Facts, now: datetime, *, deployment_id: str) -> Verdict:
    """Evaluate and explain."""
    conditions = compiled(rule)
    if conditions is None:
        return Verdict(rule, ConditionsResult.NONE, None, "no conditions", None)
    explanation = explain(conditions, facts, now)
    document = explanation.to_json(rule_id=str(rule.id), rule_version=rule.version, deployment_id=deployment_id)
    return Verdict(
        rule,
        ConditionsResult(explanation.result),
        explanation.next_change_at,
        explanation.summary,
        {**document, "rule_name": rule.name},
    )
