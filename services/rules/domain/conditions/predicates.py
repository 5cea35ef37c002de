"""Nodes turned into closures: the one place where the meaning of each operator is written.

A closure answers True, False or the reason why it cannot know; it looks and compares, and never raises.
"""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.rules.domain.conditions.baseline import reference_value
from services.rules.domain.conditions.tree import Expected, Outcome, Reference, Scalar, Test
from services.rules.domain.facts import AHEAD_TOLERATED, Facts, Field, Reason
from services.rules.domain.facts.numbers import literal_product
from services.rules.domain.facts.reading import Kind, Reading, classify

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
ORDERINGS = frozenset({"gt", "gte", "lt", "lte"})
OPERATORS = (*COMPARISONS, "between", "in", "not_in", "contains", "not_contains", "exists")
_MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_PER_HOUR = 3_600_000_000
_A_LITTLE_AHEAD = -AHEAD_TOLERATED

# What a judge is given has the kind of its literal: the leaf has seen to that.
Judge = Callable[[Any], bool]


def all_of(tests: Sequence[Test]) -> Test:
    """False if any is false, else unknown if any is unknown, else true."""

    def test(facts: Facts, now: datetime) -> Outcome:
        verdict: Outcome = True
        for child in tests:
            outcome = child(facts, now)
            if outcome is False:
                return False
            if outcome is not True:
                verdict = outcome
        return verdict

    return test


def any_of(tests: Sequence[Test]) -> Test:
    """True if any is true, else unknown if any is unknown, else false."""

    def test(facts: Facts, now: datetime) -> Outcome:
        verdict: Outcome = False
        for child in tests:
            outcome = child(facts, now)
            if outcome is True:
                return True
            if outcome is not False:
                verdict = outcome
        return verdict

    return test


def opposite(child: Test) -> Test:
    """Swap true and false; keep unknown."""

    def test(facts: Facts, now: datetime) -> Outcome:
        outcome = child(facts, now)
        if outcome is True:
            return False
        return True if outcome is False else outcome

    return test


def leaf_test(field: Field, op: str, expected: Expected, max_age: timedelta | None) -> Test:
    """Give the closure of one leaf."""
    if op == "exists":
        return _exists(field, max_age, wanted=expected is True)
    if field.is_clock:
        return _on_clock(_judge(op, _in_microseconds(expected)))
    if isinstance(expected, Reference):
        return _against_baseline(field, op, expected, max_age)
    return _on_fact(field.path, max_age, _kind_wanted(op, expected), _judge(op, expected))


def availability(reading: Reading | None, now: datetime, max_age: timedelta | None) -> Reason | None:
    """Say why a reading cannot be used now, or None where it can."""
    if reading is None:
        return Reason.MISSING
    if reading.flaw is not None:
        return reading.flaw
    age = now - reading.observed_at
    if max_age is not None and age >= max_age:
        return Reason.STALE
    return Reason.FUTURE if age < _A_LITTLE_AHEAD else None


def _on_fact(path: str, max_age: timedelta | None, kind: Kind, judge: Judge) -> Test:
    limit = timedelta.max if max_age is None else max_age

    # The body of availability() once more: this is the path that everything waits for.
    def test(facts: Facts, now: datetime) -> Outcome:
        reading = facts.readings.get(path)
        if reading is None:
            return Reason.MISSING
        if reading.flaw is not None:
            return reading.flaw
        age = now - reading.observed_at
        if age >= limit:
            return Reason.STALE
        if age < _A_LITTLE_AHEAD:
            return Reason.FUTURE
        if reading.kind is not kind:
            return Reason.TYPE_MISMATCH
        return judge(reading.value)

    return test


def _exists(field: Field, max_age: timedelta | None, *, wanted: bool) -> Test:
    path = field.path
    if field.is_clock:
        return lambda facts, now: (facts.active_since is not None) is wanted
    return lambda facts, now: (availability(facts.readings.get(path), now, max_age) is None) is wanted


def _on_clock(judge: Judge) -> Test:
    def test(facts: Facts, now: datetime) -> Outcome:
        if facts.active_since is None:
            return Reason.MISSING
        return judge(Decimal((now - facts.active_since) // _MICROSECOND))

    return test


def _against_baseline(field: Field, op: str, reference: Reference, max_age: timedelta | None) -> Test:
    compare = COMPARISONS[op]
    needs_number = op in ORDERINGS or bool(reference.stated)
    path = field.path

    def test(facts: Facts, now: datetime) -> Outcome:
        reading = facts.readings.get(path)
        reason = availability(reading, now, max_age)
        if reason is not None or reading is None:
            return reason or Reason.MISSING
        if reading.kind is Kind.LIST or (needs_number and reading.kind is not Kind.NUMBER):
            return Reason.TYPE_MISMATCH
        found = reference_value(reference, path, facts, now)
        if found is None:
            return True if reference.passes_without_baseline else Reason.NO_BASELINE
        if isinstance(found, Reason):
            return found
        kind, value = found
        return compare(reading.value, value) if kind is reading.kind else Reason.TYPE_MISMATCH

    return test


def _judge(op: str, expected: Expected) -> Judge:
    compare = COMPARISONS.get(op)
    if compare is not None:
        return lambda value: compare(value, expected)
    items: tuple[Any, ...] = expected if isinstance(expected, tuple) else ()
    if op == "between":
        low, high = items
        return lambda value: bool(low <= value <= high)
    if op in ("in", "not_in"):
        known, is_in = frozenset(items), op == "in"
        return lambda value: (value in known) is is_in
    member, contains = classify(expected), op == "contains"
    return lambda value: (member in value) is contains


def _kind_wanted(op: str, expected: Expected) -> Kind:
    if op in ("contains", "not_contains"):
        return Kind.LIST
    sample = expected[0] if isinstance(expected, tuple) else expected
    member = classify(sample)
    return Kind.OTHER if member is None else member[0]


def _in_microseconds(expected: Expected) -> Expected:
    """Give hours in microseconds, so that elapsed time is compared exactly."""
    if isinstance(expected, tuple):
        return tuple(_hours_in_microseconds(item) for item in expected)
    return expected if isinstance(expected, Reference) else _hours_in_microseconds(expected)


def _hours_in_microseconds(hours: Scalar) -> Decimal:
    return literal_product(Decimal(hours), Decimal(MICROSECONDS_PER_HOUR))
