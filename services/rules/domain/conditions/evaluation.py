"""What conditions are worth now, and when the clock alone may change that. A pure function of its arguments."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from services.rules.domain.conditions.predicates import MICROSECONDS_PER_HOUR
from services.rules.domain.conditions.tree import CompiledConditions, Leaf, Outcome, Reference
from services.rules.domain.facts import Facts
from services.rules.domain.facts.numbers import literal_product

_MICROSECOND = timedelta(microseconds=1)


class Value(StrEnum):
    """What conditions are worth. Only ``true`` promotes."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


def value_of(outcome: Outcome) -> Value:
    """Give the value of a node's outcome."""
    if outcome is True:
        return Value.TRUE
    return Value.FALSE if outcome is False else Value.UNKNOWN


def evaluate(compiled: CompiledConditions, facts: Facts, now: datetime) -> Value:
    """Evaluate; ``now`` is aware. Never raises, whatever the facts hold."""
    outcome = compiled.root.test(facts, now)
    if outcome is True:
        return Value.TRUE
    return Value.FALSE if outcome is False else Value.UNKNOWN


def next_change(compiled: CompiledConditions, facts: Facts, now: datetime) -> datetime | None:
    """Give the first instant later than ``now`` (aware) at which the clock alone changes the value.

    None means that only an event can change it.
    """
    instants = {instant for leaf in compiled.leaves for instant in turning_points(leaf, facts)}
    value = evaluate(compiled, facts, now)
    for instant in sorted(instant for instant in instants if instant > now):
        if evaluate(compiled, facts, instant) is not value:
            return instant
    return None


def next_leaf_change(leaf: Leaf, facts: Facts, now: datetime) -> datetime | None:
    """Give the first instant later than ``now`` at which the clock alone changes this leaf."""
    value = value_of(leaf.test(facts, now))
    for instant in sorted(instant for instant in turning_points(leaf, facts) if instant > now):
        if value_of(leaf.test(facts, instant)) is not value:
            return instant
    return None


def turning_points(leaf: Leaf, facts: Facts) -> Iterator[datetime]:
    """Give the instants, in no order and past ones too, at which the clock may change the leaf."""
    if leaf.field.is_clock:
        yield from _on_clock(leaf, facts)
        return
    reading = facts.readings[leaf.field.path]
    if reading.flaw is None:
        yield reading.not_before
        if leaf.max_age is not None:
            yield from _shifted(reading.observed_at, leaf.max_age)
    if isinstance(leaf.expected, Reference):
        baseline = facts.baselines.get(leaf.expected.baseline)
        if baseline is not None:
            yield baseline.readings[leaf.field.path].not_before


def _on_clock(leaf: Leaf, facts: Facts) -> Iterator[datetime]:
    """Give, for each threshold, the last microsecond up to it and the first one after it."""
    if facts.active_since is None or leaf.op == "exists":
        return
    thresholds = leaf.expected if isinstance(leaf.expected, tuple) else (leaf.expected,)
    for hours in thresholds:
        if isinstance(hours, Decimal):
            exact = literal_product(hours, Decimal(MICROSECONDS_PER_HOUR))
            microseconds = int(exact.to_integral_value(ROUND_FLOOR))
            for count in (microseconds, microseconds + 1):
                yield from _after(facts.active_since, count)


def _after(start: datetime, microseconds: int) -> Iterator[datetime]:
    try:
        yield start + microseconds * _MICROSECOND
    except OverflowError:
        return


def _shifted(instant: datetime, by: timedelta) -> Iterator[datetime]:
    """Give the shifted instant, unless it lies outside the calendar and so never comes."""
    try:
        yield instant + by
    except OverflowError:
        return
