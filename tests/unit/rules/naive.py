"""A second evaluator, as plain as can be: it walks the document and computes with fractions.

It shares no code with the one under test and knows only conditions that were accepted.
"""

import math
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

AGES = {"metrics": timedelta(hours=1)}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
COUNTS = ("tests.total", "tests.passed", "tests.failed", "tests.errors", "tests.skipped", "metrics.request_count")


class World:
    """What the naive evaluator sees: raw values with their times, by path."""

    def __init__(
        self,
        values: dict[str, tuple[Any, datetime]],
        baselines: dict[str, dict[str, tuple[Any, datetime]]],
        active_since: datetime | None,
        held: set[str],
    ) -> None:
        self.values = values
        self.baselines = baselines
        self.active_since = active_since
        self.held = held


def answer(node: dict[str, Any], world: World, now: datetime) -> str:
    """Give true, false or unknown."""
    if "all" in node:
        answers = [answer(child, world, now) for child in node["all"]]
        return "false" if "false" in answers else "unknown" if "unknown" in answers else "true"
    if "any" in node:
        answers = [answer(child, world, now) for child in node["any"]]
        return "true" if "true" in answers else "unknown" if "unknown" in answers else "false"
    if "not" in node:
        return {"true": "false", "false": "true", "unknown": "unknown"}[answer(node["not"], world, now)]
    held = leaf(node, world, now)
    return "unknown" if held is None else str(held).lower()


def leaf(node: dict[str, Any], world: World, now: datetime) -> bool | None:
    path, op, value = node["field"], node["op"], node["value"]
    found = usable(node, world, now)
    if op == "exists":
        return (found is not None) == value
    if found is None:
        return None
    if op in ("contains", "not_contains"):
        if not isinstance(found, list):
            return None
        inside = any(same(item, value) for item in found if item is not None)
        return inside if op == "contains" else not inside
    if isinstance(value, dict):
        if isinstance(found, list) or (needs_number(op, value) and not is_number(found)):
            return None
        entries = world.baselines.get(value["baseline"], {})
        if path not in entries:
            return True if value.get("on_missing") == "pass" else None
        value = shifted(path, entries[path], value, now)
        if value is None:
            return None
    return compare(op, found, value)


def compare(op: str, found: Any, value: Any) -> bool | None:
    items = value if isinstance(value, list) else [value]
    if kind(found) != kind(items[0]):
        return None
    left, right = exact(found), [exact(item) for item in items]
    return {
        "eq": lambda: left == right[0],
        "ne": lambda: left != right[0],
        "gt": lambda: left > right[0],
        "gte": lambda: left >= right[0],
        "lt": lambda: left < right[0],
        "lte": lambda: left <= right[0],
        "between": lambda: right[0] <= left <= right[-1],
        "in": lambda: left in right,
        "not_in": lambda: left not in right,
    }[op]()


def usable(node: dict[str, Any], world: World, now: datetime) -> Any:
    """Give the fact's value, or None where it cannot be used."""
    path = node["field"]
    if path == "deployment.duration_hours":
        if world.active_since is None:
            return None
        return Fraction((now - world.active_since) // timedelta(microseconds=1), 3_600_000_000)
    if path in world.held or path not in world.values:
        return None
    value, observed_at = world.values[path]
    limit = AGES.get(path.partition(".")[0])
    if "max_age" in node:
        limit = timedelta(seconds=int(node["max_age"][:-1]) * UNITS[node["max_age"][-1]])
    if limit is not None and now - observed_at >= limit:
        return None
    if observed_at - now > timedelta(minutes=5):
        return None
    return value if fits(path, value) else None


def fits(path: str, value: Any) -> bool:
    if isinstance(value, list):
        if path == "tests.passed_suites":
            return all(isinstance(item, str) or item is None for item in value)
        return path.startswith("custom.") and all(item is None or is_sound_scalar(item) for item in value)
    if not is_sound_scalar(value):
        return False
    if path.startswith("custom."):
        return True
    if path == "tests.passed_suites":
        return False
    if path == "tests.outcome":
        return value in ("success", "failure", "error", "cancel") and isinstance(value, str)
    if path in ("deployment.version", "deployment.environment"):
        return isinstance(value, str)
    if not is_number(value):
        return False
    number = exact(value)
    if path in COUNTS or path == "incidents.open":
        return number >= 0 and number.denominator == 1
    if path == "tests.pass_rate":
        return 0 <= number <= 100
    if path == "metrics.error_rate":
        return 0 <= number <= 1
    return path != "metrics.p95_latency_ms" or number >= 0


def shifted(path: str, entry: tuple[Any, datetime], reference: dict[str, Any], now: datetime) -> Any:
    base, observed_at = entry
    if observed_at - now > timedelta(minutes=5) or isinstance(base, list) or not fits(path, base):
        return None
    if "percent" in reference:
        return exact(base) + abs(exact(base)) * exact(reference["percent"]) / 100 if is_number(base) else None
    if "delta" in reference:
        return exact(base) + exact(reference["delta"]) if is_number(base) else None
    return base


def needs_number(op: str, reference: dict[str, Any]) -> bool:
    return op not in ("eq", "ne") or "percent" in reference or "delta" in reference


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | Fraction) and not isinstance(value, bool)


def is_sound_scalar(value: Any) -> bool:
    if is_number(value):
        return math.isfinite(value) if isinstance(value, float) else Decimal(value).is_finite()
    return isinstance(value, str | bool)


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if is_number(value) else "string" if isinstance(value, str) else "list"


def exact(value: Any) -> Any:
    return Fraction(str(value)) if is_number(value) else value


def same(item: Any, value: Any) -> bool:
    return kind(item) == kind(value) and bool(exact(item) == exact(value))
