"""What an explanation says of a leaf, in words: what is known, what was asked for, and why the two do not meet."""

from datetime import datetime

from services.rules.domain.conditions.tree import Leaf, Reference
from services.rules.domain.conditions.wording import evidence, show
from services.rules.domain.facts import Facts, Reason, show_duration
from services.rules.domain.facts.reading import Reading

_REQUIREMENTS = {
    "eq": "be {}",
    "ne": "differ from {}",
    "gt": "be more than {}",
    "gte": "be at least {}",
    "lt": "be less than {}",
    "lte": "be at most {}",
    "between": "be between {}",
    "in": "be one of {}",
    "not_in": "be none of {}",
    "contains": "contain {}",
    "not_contains": "lack {}",
}
_BASELINES = {
    "target_current": "the deployment now in the target environment",
    "previous": "the previous deployment in this environment",
}


def requirement(leaf: Leaf, expected: object) -> str:
    """Say what the leaf asks for, after a ``must``; ``expected`` is the value compared with, if there is one."""
    if leaf.op == "exists":
        return "be known" if leaf.expected is True else "be unknown"
    return _REQUIREMENTS[leaf.op].format(_shown_expected(leaf, expected))


def _shown_expected(leaf: Leaf, expected: object) -> str:
    if isinstance(leaf.expected, Reference):
        whose = _BASELINES[leaf.expected.baseline]
        return f"what {whose} allows" if expected is None else f"{show(expected)} (from {whose})"
    if not isinstance(leaf.expected, tuple):
        return show(leaf.expected)
    if leaf.op == "between":
        return " and ".join(show(end) for end in leaf.expected)
    return show(leaf.expected)


def unmet(leaf: Leaf, actual: object, expected: object) -> str:
    """Say that the fact is known and is not what was asked for."""
    return f"is {_shown_actual(leaf, actual)}, must {requirement(leaf, expected)}"


def forbidden(leaf: Leaf, actual: object, expected: object) -> str:
    """Say that the leaf holds, where a ``not`` above it asks for the opposite."""
    return f"is {_shown_actual(leaf, actual)}, must not {requirement(leaf, expected)}"


def _shown_actual(leaf: Leaf, actual: object) -> str:
    return "unknown" if leaf.op == "exists" and actual is None else show(actual)


def unknown(leaf: Leaf, reason: Reason, facts: Facts, now: datetime) -> str:
    """Say why nothing is known."""
    reading = facts.readings[leaf.field.path]
    shown = evidence(_raw(leaf, facts))
    match reason:
        case Reason.MISSING:
            return _missing(leaf)
        case Reason.NULL:
            return "the last event gave no value (null)"
        case Reason.STALE:
            return _stale(leaf, reading, now)
        case Reason.FUTURE:
            return "observed more than 5 minutes in the future"
        case Reason.TYPE_MISMATCH:
            return f"{show(shown)} is not a value of the type that the condition compares"
        case Reason.NOT_FINITE:
            return f"{show(shown)} is not a finite number"
        case Reason.OUT_OF_DOMAIN:
            return f"{show(shown)} is impossible: {leaf.field.path} is {leaf.field.domain}"
        case Reason.NO_BASELINE:
            return f"no usable value of {_compared_with(leaf)}"
        case Reason.RUN_IN_PROGRESS:
            return "a newer test run is in progress"


def _raw(leaf: Leaf, facts: Facts) -> object:
    fact = facts.values.get(leaf.field.path)
    return None if fact is None else fact.value


def _missing(leaf: Leaf) -> str:
    if leaf.field.is_clock:
        return "the deployment is not active"
    if leaf.field.path.startswith("tests."):
        return "no test result yet"
    return "no value observed yet"


def _stale(leaf: Leaf, reading: Reading, now: datetime) -> str:
    if leaf.max_age is None:
        return "too old"
    age = show_duration(now - reading.observed_at)
    return f"last observed {age} ago, and must be younger than {show_duration(leaf.max_age)}"


def _compared_with(leaf: Leaf) -> str:
    return _BASELINES[leaf.expected.baseline] if isinstance(leaf.expected, Reference) else "a baseline"
