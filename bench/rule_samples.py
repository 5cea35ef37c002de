"""The two rules that every engine is timed on, their facts, and the meaning that all of them must agree on."""

import copy
import operator
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def leaf(field: str, op: str, value: object) -> Json:
    return {"field": field, "op": op, "value": value}


TWO = {"all": [leaf("tests.pass_rate", "gte", 100), leaf("metrics.error_rate", "lte", 0.01)]}

# Every leaf is reached: of each `any`, only the last child holds.
TWENTY = {
    "all": [
        leaf("tests.pass_rate", "gte", 100),
        leaf("tests.total", "gt", 500),
        leaf("tests.failed", "eq", 0),
        leaf("incidents.open", "eq", 0),
        leaf("metrics.error_rate", "lte", 0.01),
        leaf("metrics.p95_latency_ms", "lt", 250),
        leaf("metrics.request_count", "gte", 1000),
        {
            "any": [
                leaf("metrics.cpu", "gt", 0.9),
                leaf("metrics.saturation", "gt", 0.9),
                leaf("metrics.queue_depth", "lt", 20),
            ]
        },
        {
            "not": {
                "any": [
                    leaf("custom.critical_findings", "gt", 0),
                    leaf("custom.high_findings", "gt", 0),
                    leaf("custom.medium_findings", "gt", 10),
                    leaf("custom.freeze", "eq", True),
                ]
            }
        },
        {
            "any": [
                {"all": [leaf("custom.tier", "eq", "silver"), leaf("custom.soak_hours", "gte", 48)]},
                {"all": [leaf("custom.tier", "eq", "gold"), leaf("custom.soak_hours", "gte", 24)]},
            ]
        },
        leaf("custom.weekday", "lte", 4),
        leaf("custom.hour", "lt", 17),
    ]
}
RULES = {"2 conditions": TWO, "20 conditions": TWENTY}

FACTS: dict[str, Json] = {
    "tests": {"pass_rate": 100, "total": 812, "failed": 0},
    "incidents": {"open": 0},
    "metrics": {
        "error_rate": 0.002,
        "p95_latency_ms": 41.5,
        "request_count": 25_000,
        "cpu": 0.41,
        "saturation": 0.3,
        "queue_depth": 8,
    },
    "custom": {
        "critical_findings": 0,
        "high_findings": 0,
        "medium_findings": 4,
        "freeze": False,
        "tier": "gold",
        "soak_hours": 26,
        "weekday": 2,
        "hour": 14,
    },
}
_OPERATORS = {"eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def meaning(node: Json, facts: dict[str, Json]) -> bool:
    """Walk the tree, with no thought of speed."""
    if "all" in node:
        return all(meaning(child, facts) for child in node["all"])
    if "any" in node:
        return any(meaning(child, facts) for child in node["any"])
    if "not" in node:
        return not meaning(node["not"], facts)
    space, name = node["field"].split(".")
    return bool(_OPERATORS[node["op"]](facts[space][name], node["value"]))


def leaves(node: Json) -> Iterator[Json]:
    if "field" in node:
        yield node
    else:
        for child in node.get("all") or node.get("any") or [node["not"]]:
            yield from leaves(child)


def trials(rule: Json) -> Iterator[tuple[dict[str, Json], bool]]:
    """Give facts that put each leaf on either side of its threshold in turn, and what the rule is worth then."""
    yield FACTS, meaning(rule, FACTS)
    for one in leaves(rule):
        for value in _around(one["value"]):
            facts = copy.deepcopy(FACTS)
            space, name = one["field"].split(".")
            # Beyond these two a fact is impossible, which no other engine knows.
            facts[space][name] = min(value, 100) if one["field"] == "tests.pass_rate" else value
            if not isinstance(value, int | float) or value >= 0:
                yield facts, meaning(rule, facts)


def _around(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return value, not value
    if isinstance(value, str):
        return value, value + "-other"
    if isinstance(value, float):
        return value, value * 1.1, value * 0.9
    return value, value + 1, value - 1
