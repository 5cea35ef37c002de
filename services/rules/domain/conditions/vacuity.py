"""Conditions that say nothing: leaves whose answer is the same for every value of their field's domain."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from services.rules.domain.conditions.tree import Expected, Reference
from services.rules.domain.facts import Field, FieldType

_NEGATED = {"ne": "eq", "not_in": "in"}


def constant_answer(field: Field, op: str, expected: Expected) -> bool | None:
    """Give the answer that the leaf always has, or None where it depends on the fact.

    ``expected`` has been checked against the field.
    """
    if isinstance(expected, Reference) or op in ("exists", "contains", "not_contains"):
        return None
    if op in _NEGATED:
        answer = constant_answer(field, _NEGATED[op], expected)
        return None if answer is None else not answer
    items = expected if isinstance(expected, tuple) else (expected,)
    if field.choices:
        return True if op == "in" and set(field.choices) <= set(items) else None
    numbers = [item for item in items if isinstance(item, Decimal)]
    if not field.is_numeric or not numbers:
        return None
    if op in ("eq", "in"):
        return None if any(field.admits(number) for number in numbers) else False
    return _constant_range(field, op, numbers)


def _constant_range(field: Field, op: str, numbers: list[Decimal]) -> bool | None:
    if field.type is FieldType.COUNT:
        op, numbers = _over_whole_numbers(op, numbers)
    low, high = field.low, field.high
    first, last = numbers[0], numbers[-1]
    covers_low = low is not None and ((op in ("gte", "between") and first <= low) or op in ("lt", "lte"))
    covers_high = op in ("gt", "gte") or (high is not None and op in ("lte", "between") and last >= high)
    if covers_low and covers_high:
        return True
    is_below = low is not None and ((op == "lt" and last <= low) or (op in ("lte", "between") and last < low))
    is_above = high is not None and ((op == "gt" and first >= high) or (op == "gte" and first > high))
    is_empty = op == "between" and first > last
    return False if is_below or is_above or is_empty else None


def _over_whole_numbers(op: str, numbers: list[Decimal]) -> tuple[str, list[Decimal]]:
    """Give the same range of whole numbers with whole, inclusive bounds."""
    first = numbers[0].to_integral_value(ROUND_CEILING)
    last = numbers[-1].to_integral_value(ROUND_FLOOR)
    match op:
        case "gt":
            return "gte", [numbers[0].to_integral_value(ROUND_FLOOR) + 1]
        case "lt":
            return "lte", [numbers[0].to_integral_value(ROUND_CEILING) - 1]
        case "gte":
            return op, [first]
        case "lte":
            return op, [last]
        case _:
            return op, [first, last]
