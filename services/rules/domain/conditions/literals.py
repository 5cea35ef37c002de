"""The values that a leaf compares with: checked against its operator and its field, then normalised.

Each check notes everything that it finds and gives the normalised value, or None where there is none.
"""

from collections.abc import Sequence
from decimal import Decimal

from services.rules.domain.conditions.errors import Code, Findings
from services.rules.domain.conditions.limits import (
    LARGEST_NUMBER,
    LONGEST_STRING,
    MOST_ITEMS,
    SMALLEST_EXPONENT,
)
from services.rules.domain.conditions.predicates import ORDERINGS
from services.rules.domain.conditions.tree import Expected, Scalar
from services.rules.domain.conditions.wording import describe_type, is_storable, pointer, show
from services.rules.domain.facts import Field, FieldType
from services.rules.domain.facts.numbers import as_decimal, shortest

_TYPES = {Decimal: "number", str: "string", bool: "boolean"}


def check_literal(
    field: Field, op: str, value: object, path: str, findings: Findings, *, states_percent: bool
) -> Expected | None:
    """Check the literal of any operator but ``exists`` on ``field``."""
    values = Literals(field, findings, states_percent=states_percent)
    if op == "between":
        return values.check_range(value, path)
    if op in ("in", "not_in"):
        return values.check_items(value, path)
    if op in ORDERINGS:
        return values.check_number(value, path)
    return values.check_scalar(value, path)


def check_text(text: str, path: str, findings: Findings) -> str | None:
    """Check what every string of a rule must be: short, and possible to store."""
    if len(text) > LONGEST_STRING:
        findings.add(
            path,
            Code.STRING_TOO_LONG,
            f"has {len(text)} characters; at most {LONGEST_STRING} are allowed",
            "shorten it",
        )
        return None
    if not is_storable(text):
        findings.add(
            path,
            Code.INVALID_JSON,
            "holds a NUL or half of a surrogate pair, which no text may hold",
            "remove that character",
        )
        return None
    return text


def check_bounds(number: Decimal, path: str, findings: Findings) -> Decimal | None:
    """Check what every number of a rule must be: finite, and exact for every reader of JSON."""
    if number.is_nan():
        findings.add(path, Code.INVALID_JSON, "is not a number; JSON has no NaN", "write a number")
        return None
    if not number.is_finite() or number.copy_abs() > LARGEST_NUMBER:
        findings.add(
            path,
            Code.NUMBER_OUT_OF_RANGE,
            f"{show(number)} is beyond ±{LARGEST_NUMBER:,}",
            "readers of JSON disagree on larger numbers; use another unit",
        )
        return None
    if int(shortest(number).as_tuple().exponent) < SMALLEST_EXPONENT:
        findings.add(
            path,
            Code.NUMBER_OUT_OF_RANGE,
            f"has more than {-SMALLEST_EXPONENT} decimal places",
            "write fewer digits; nothing measures as finely",
        )
        return None
    return shortest(number)


class Literals:
    """The checks of one leaf's values."""

    def __init__(self, field: Field, findings: Findings, *, states_percent: bool) -> None:
        self._field = field
        self._findings = findings
        self._states_percent = states_percent

    def check_scalar(self, value: object, path: str) -> Scalar | None:
        """Check a number, a string or a boolean, whichever the field takes."""
        if self._field.is_numeric:
            return self.check_number(value, path)
        if self._field.type is not FieldType.ANY and not isinstance(value, str):
            self._refuse_type(value, path, "a string")
            return None
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._check_string(value, path)
        if isinstance(value, int | float | Decimal):
            return self.check_number(value, path)
        self._refuse_type(value, path, "a number, a string or a boolean")
        return None

    def check_number(self, value: object, path: str) -> Decimal | None:
        """Check a number against the field's domain and unit."""
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            self._refuse_type(value, path, "a number")
            return None
        number = check_bounds(as_decimal(value), path, self._findings)
        if number is None:
            return None
        low, high = self._field.low, self._field.high
        if (low is not None and number < low) or (high is not None and number > high):
            self._findings.add(
                path,
                Code.VALUE_OUT_OF_RANGE,
                f"{show(number)} can never be reached: {self._field.path} is {self._field.domain}",
                f"write a value that is {self._field.domain}",
            )
            return None
        return number if self._has_sensible_scale(number, path) else None

    def check_range(self, value: object, path: str) -> tuple[Scalar, ...] | None:
        """Check the two ends of ``between``."""
        if not isinstance(value, list | tuple) or len(value) != 2:
            self._refuse_type(value, path, "an array of two numbers, [low, high]")
            return None
        low = self.check_number(value[0], pointer(path, 0))
        high = self.check_number(value[1], pointer(path, 1))
        if low is None or high is None:
            return None
        if low > high:
            self._findings.add(
                path,
                Code.EMPTY_RANGE,
                f"nothing lies between {show(low)} and {show(high)}",
                f"write the lower end first: [{show(high)}, {show(low)}]",
            )
            return None
        return low, high

    def check_items(self, value: object, path: str) -> tuple[Scalar, ...] | None:
        """Check the list of ``in`` and ``not_in``."""
        if not isinstance(value, list | tuple):
            self._refuse_type(value, path, "an array of values of one type")
            return None
        if not value:
            self._findings.add(path, Code.EMPTY_LIST, "the list is empty", "name at least one value")
            return None
        if len(value) > MOST_ITEMS:
            self._findings.add(
                path,
                Code.LIST_TOO_LONG,
                f"has {len(value)} items; at most {MOST_ITEMS} are allowed",
                "use several conditions under any, or a range",
            )
            return None
        return self._check_each(value, path)

    def _check_each(self, items: Sequence[object], path: str) -> tuple[Scalar, ...] | None:
        checked = [self.check_scalar(item, pointer(path, index)) for index, item in enumerate(items)]
        scalars = tuple(item for item in checked if item is not None)
        types = sorted({_TYPES[type(item)] for item in scalars})
        if len(types) > 1:
            self._findings.add(
                path,
                Code.MIXED_TYPES,
                f"mixes values of type {' and '.join(types)}",
                'one type to a list: 1 and "1" are never equal',
            )
            return None
        return scalars if len(scalars) == len(items) else None

    def _check_string(self, value: str, path: str) -> str | None:
        text = check_text(value, path, self._findings)
        choices = self._field.choices
        if text is None or not choices or text in choices:
            return text
        self._findings.add(
            path,
            Code.VALUE_NOT_IN_ENUM,
            f"{show(text)} is not a value of {self._field.path}",
            f"write {self._field.domain}",
        )
        return None

    def _has_sensible_scale(self, number: Decimal, path: str) -> bool:
        is_percent = self._field.type is FieldType.PERCENT
        if not is_percent or self._states_percent or not 0 < number <= 1:
            return True
        self._findings.add(
            path,
            Code.SUSPICIOUS_SCALE,
            f"{show(number)} means {show(number)} percent here: {self._field.path} runs from 0 to 100",
            f'write {show(number * 100)}, or add "unit": "percent" if you do mean {show(number)} percent',
        )
        return False

    def _refuse_type(self, value: object, path: str, wanted: str) -> None:
        what = f"{describe_type(value)} ({show(value)})" if value is not None else "null"
        self._findings.add(path, Code.VALUE_TYPE_MISMATCH, f"is {what}; {wanted} is needed", f"write {wanted}")
