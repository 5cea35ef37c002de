"""Why conditions are worth what they are, as a tree of short lines: ✓ holds, ✗ does not, "no data"."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from studio.console.views.moments import ago
from studio.console.views.words import Tone

Json = Mapping[str, Any]

_MARKS: Mapping[str, tuple[str, Tone, str]] = {
    "true": ("✓", "good", "holds"),
    "false": ("✗", "bad", "does not hold"),
    "unknown": ("?", "wait", "no data"),
}
_OPERATORS = {
    "eq": "=", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "between": "between", "in": "one of",
    "not_in": "none of", "contains": "contains", "not_contains": "does not contain", "exists": "is known:",
}  # fmt: skip
_GROUPS = {"all": "All of", "any": "Any of", "not": "Not"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the tree; ``word`` says the sign for those who do not see it."""

    sign: str
    tone: Tone
    word: str
    text: str
    note: str = ""
    children: Sequence["Check"] = field(default=())


def evaluated(explanation: Json) -> list[Json]:
    """Give what each rule's conditions come to now, or came to when the promotion was decided."""
    evaluation = explanation["now"] or explanation["decided"] or {"rules": []}
    return [rule for rule in evaluation["rules"] if rule.get("tree")]


def conditions_unmet(explanation: Json) -> bool:
    """Tell whether the conditions, as they are known, stand in the way."""
    evaluation = explanation["now"] or explanation["decided"]
    return evaluation is not None and evaluation["conditions"] in {"false", "unknown"}


def tree(node: Json, now: datetime) -> Check:
    """Give one node of an explanation with everything below it."""
    sign, tone, word = _MARKS[node["result"]]
    if node["kind"] == "leaf":
        return Check(sign, tone, word, _leaf(node), _note(node, now))
    children = [tree(child, now) for child in node["children"]]
    return Check(sign, tone, word, node.get("description") or _GROUPS[node["kind"]], children=children)


def leaves(node: Json, now: datetime) -> list[Check]:
    """Give the leaves alone, where there is little room."""
    if node["kind"] == "leaf":
        return [tree(node, now)]
    return [leaf for child in node["children"] for leaf in leaves(child, now)]


def _leaf(node: Json) -> str:
    said = f"{node['field']} {_OPERATORS.get(node['op'], node['op'])} {_value(node['expected'])}"
    description = node.get("description")
    return f"{description} ({said})" if description else said


def _note(node: Json, now: datetime) -> str:
    if node["result"] == "unknown":
        return f"no data: {node.get('message', 'nothing is known yet')}"
    actual = f"is {_value(node['actual'])}"
    return f"{actual}, {ago(node['observed_at'], now)}" if "observed_at" in node else actual


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
