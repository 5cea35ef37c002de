"""The condition language, version 1: validation, evaluation, explanation. Pure: no clock, no I/O.

- ``compile_conditions(document)``, ``compile_text(json_text)``, ``compile_for_rule(document, auto_promote=)``: give
  ``CompiledConditions`` (``fields``, ``baselines``, ``reads_clock``, ``language_version``) or raise
  ``InvalidConditions`` whose ``errors`` are all ``ConditionError(path, code, message, hint)``;
  ``error.under("/conditions")`` moves the path into the rule's document, ``error.to_json()`` is one entry of a
  problem document.
- ``read_json(text)``: strict JSON (repeated keys, NaN, exact numbers, depth) -> (document, errors).
- ``evaluate(compiled, facts, now)``: ``Value.TRUE``, ``Value.FALSE`` or ``Value.UNKNOWN``; only true promotes.
- ``next_change(compiled, facts, now)``: the first later instant at which the clock alone changes the value, or None.
- ``explain(compiled, facts, now)``: ``Explanation`` with ``to_json(rule_id=, rule_version=, deployment_id=)``;
  ``as_text(explanation)`` for terminals.
- ``run_cases(cases)``: parsed conformance cases -> ``CaseResult`` each.

``facts`` is a ``services.rules.domain.facts.Facts``; every ``now`` is an aware datetime.
"""

from services.rules.domain.conditions.cases import CaseResult, run_case, run_cases
from services.rules.domain.conditions.compiler import (
    LANGUAGE_VERSION,
    compile_conditions,
    compile_for_rule,
    compile_text,
)
from services.rules.domain.conditions.errors import Code, ConditionError, InvalidConditions
from services.rules.domain.conditions.evaluation import Value, evaluate, next_change
from services.rules.domain.conditions.explanation import Explanation, explain
from services.rules.domain.conditions.strict_json import read_json
from services.rules.domain.conditions.text import as_text
from services.rules.domain.conditions.tree import CompiledConditions

__all__ = [
    "LANGUAGE_VERSION",
    "CaseResult",
    "Code",
    "CompiledConditions",
    "ConditionError",
    "Explanation",
    "InvalidConditions",
    "Value",
    "as_text",
    "compile_conditions",
    "compile_for_rule",
    "compile_text",
    "evaluate",
    "explain",
    "next_change",
    "read_json",
    "run_case",
    "run_cases",
]
