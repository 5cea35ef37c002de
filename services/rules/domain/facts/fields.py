"""The fields that facts and rules may speak of: their types, units, domains and default ages.

One table; a field that is not in it and not in an open namespace does not exist.
"""

import difflib
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from services.rules.domain.facts.numbers import is_whole

LONGEST_PATH = 128
DURATION_HOURS = "deployment.duration_hours"
OPEN_NAMESPACES = ("metrics", "custom")
_PATH = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){1,7}")
_HOUR = timedelta(hours=1)


class FieldType(StrEnum):
    """What values a field takes."""

    PERCENT = "percent"
    RATIO = "ratio"
    COUNT = "count"
    NUMBER = "number"
    HOURS = "hours"
    CHOICE = "choice"
    TEXT = "text"
    TEXTS = "list of strings"
    ANY = "any"


_NUMERIC = frozenset({FieldType.PERCENT, FieldType.RATIO, FieldType.COUNT, FieldType.NUMBER, FieldType.HOURS})


@dataclass(frozen=True, slots=True)
class Field:
    """A row of the table.

    ``low`` and ``high`` bound numbers, both inclusive; ``max_age`` None means that the fact never grows stale;
    ``unit`` None means that a rule may state any unit.
    """

    path: str
    type: FieldType
    low: Decimal | None = None
    high: Decimal | None = None
    choices: tuple[str, ...] = ()
    unit: str | None = None
    max_age: timedelta | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.type in _NUMERIC

    @property
    def is_clock(self) -> bool:
        """Whether its value comes from the clock and not from an event."""
        return self.type is FieldType.HOURS

    def admits(self, number: Decimal) -> bool:
        """Tell whether a finite number lies in the domain."""
        if self.low is not None and number < self.low:
            return False
        if self.high is not None and number > self.high:
            return False
        return self.type is not FieldType.COUNT or is_whole(number)

    @property
    def domain(self) -> str:
        """The domain in words, for messages."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.high is not None:
            return f"from {self.low} to {self.high}"
        if self.type is FieldType.COUNT:
            return "a whole number, 0 or more"
        if self.low is not None:
            return f"{self.low} or more"
        return {FieldType.NUMBER: "any number", FieldType.ANY: "a scalar or a list of scalars"}.get(
            self.type, f"a {self.type}"
        )


_ZERO = Decimal(0)


def _count(path: str, max_age: timedelta | None = None) -> Field:
    return Field(path, FieldType.COUNT, low=_ZERO, unit="count", max_age=max_age)


OUTCOMES = ("success", "failure", "error", "cancel")
TEST_COUNTS = ("tests.total", "tests.passed", "tests.failed", "tests.errors", "tests.skipped")
FIELDS: dict[str, Field] = {
    field.path: field
    for field in (
        Field("tests.pass_rate", FieldType.PERCENT, low=_ZERO, high=Decimal(100), unit="percent"),
        *map(_count, TEST_COUNTS),
        Field("tests.outcome", FieldType.CHOICE, choices=OUTCOMES),
        Field("tests.passed_suites", FieldType.TEXTS),
        Field("metrics.error_rate", FieldType.RATIO, low=_ZERO, high=Decimal(1), unit="ratio", max_age=_HOUR),
        Field("metrics.p95_latency_ms", FieldType.NUMBER, low=_ZERO, unit="ms", max_age=_HOUR),
        _count("metrics.request_count", _HOUR),
        Field(DURATION_HOURS, FieldType.HOURS, low=_ZERO, unit="hours"),
        Field("deployment.version", FieldType.TEXT),
        Field("deployment.environment", FieldType.TEXT),
        _count("incidents.open"),
    )
}
_CLOSED_NAMESPACES = sorted({path.partition(".")[0] for path in FIELDS} - set(OPEN_NAMESPACES))


def is_path(text: str) -> bool:
    """Tell whether ``text`` is written as a field path, known or not."""
    return len(text) <= LONGEST_PATH and _PATH.fullmatch(text) is not None


def field_of(path: str) -> Field | None:
    """Give the field of a well-formed path, or None where no such field exists."""
    field = FIELDS.get(path)
    if field is not None:
        return field
    namespace = path.partition(".")[0]
    if namespace == "metrics":
        return Field(path, FieldType.NUMBER, max_age=_HOUR)
    if namespace == "custom":
        return Field(path, FieldType.ANY)
    return None


def suggest_field(path: str) -> str:
    """Say what an unknown path may have been meant to be."""
    close = difflib.get_close_matches(path, FIELDS, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    known = [known for known in FIELDS if known.startswith(path.partition(".")[0] + ".")]
    if known:
        return "the fields there are " + ", ".join(known)
    spaces = ", ".join(f"{space}.*" for space in (*_CLOSED_NAMESPACES, *OPEN_NAMESPACES))
    return f"fields live in {spaces}; a value of your own goes under custom.*"
