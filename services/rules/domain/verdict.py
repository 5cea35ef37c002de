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
# By the very object, which is kept here so that no other has its id: a rule is judged by thousands of times as it is.
_of_rule: dict[int, tuple[Rule, CompiledConditions]] = {}


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
    known = _of_rule.get(id(rule))
    if known is None or known[0] is not rule:
        if len(_of_rule) >= _COMPILED:
            _of_rule.clear()
        known = _of_rule[id(rule)] = rule, _compiled(json.dumps(rule.conditions))
    return known[1]


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
