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
from services.rules.domain.facts import Facts, Field, Reason
from services.rules.domain.facts.numbers import literal_product
from services.rules.domain.facts.reading import Kind, Reading, classify

# What is compared has the kind of its literal: the leaf has seen to that.
Comparison = Callable[[Any, Any], bool]
COMPARISONS: dict[str, Comparison] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_RELATIONS: dict[str, Comparison] = {
    **COMPARISONS,
    "between": lambda value, ends: bool(ends[0] <= value <= ends[1]),
    "in": lambda value, items: value in items,
    "not_in": lambda value, items: value not in items,
    "contains": lambda members, member: member in members,
    "not_contains": lambda members, member: member not in members,
}
ORDERINGS = frozenset({"gt", "gte", "lt", "lte"})
OPERATORS = (*_RELATIONS, "exists")
_MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_PER_HOUR = 3_600_000_000


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
        return _on_clock(*_comparison(op, _in_microseconds(expected)))
    if isinstance(expected, Reference):
        return _against_baseline(field, op, expected, max_age)
    return _on_fact(field.path, max_age, _kind_wanted(op, expected), *_comparison(op, expected))


def availability(reading: Reading, now: datetime, max_age: timedelta | None) -> Reason | None:
    """Say why a reading cannot be used now, or None where it can."""
    if reading.flaw is not None:
        return reading.flaw
    if max_age is not None and now - reading.observed_at >= max_age:
        return Reason.STALE
    return Reason.FUTURE if now < reading.not_before else None


def _on_fact(path: str, max_age: timedelta | None, kind: Kind, compare: Comparison, operand: object) -> Test:
    """Compare a usable fact of the right kind; find out why not only where it is not (availability() tells)."""
    limit = timedelta.max if max_age is None else max_age

    def test_of_any_age(facts: Facts, now: datetime) -> Outcome:
        reading = facts.readings[path]
        if reading.kind is kind and now >= reading.not_before:
            return compare(reading.value, operand)
        return availability(reading, now, None) or Reason.TYPE_MISMATCH

    def test(facts: Facts, now: datetime) -> Outcome:
        reading = facts.readings[path]
        if reading.kind is kind and now >= reading.not_before and now - reading.observed_at < limit:
            return compare(reading.value, operand)
        return availability(reading, now, max_age) or Reason.TYPE_MISMATCH

    return test_of_any_age if max_age is None else test


def _exists(field: Field, max_age: timedelta | None, *, wanted: bool) -> Test:
    path = field.path
    if field.is_clock:
        return lambda facts, now: (facts.active_since is not None) is wanted
    return lambda facts, now: (availability(facts.readings[path], now, max_age) is None) is wanted


def _on_clock(compare: Comparison, operand: object) -> Test:
    def test(facts: Facts, now: datetime) -> Outcome:
        if facts.active_since is None:
            return Reason.MISSING
        return compare(Decimal((now - facts.active_since) // _MICROSECOND), operand)

    return test


def _against_baseline(field: Field, op: str, reference: Reference, max_age: timedelta | None) -> Test:
    compare = COMPARISONS[op]
    needs_number = op in ORDERINGS or bool(reference.stated)
    path = field.path

    def test(facts: Facts, now: datetime) -> Outcome:
        reading = facts.readings[path]
        reason = availability(reading, now, max_age)
        if reason is not None:
            return reason
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


def _comparison(op: str, expected: Expected) -> tuple[Comparison, object]:
    """Give how a fact is compared, and with what."""
    if op in ("contains", "not_contains"):
        return _RELATIONS[op], classify(expected)
    if op in ("in", "not_in") and isinstance(expected, tuple):
        return _RELATIONS[op], frozenset(expected)
    return _RELATIONS[op], expected


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
