"""Numbers as the language sees them: exact decimals, whatever type they arrived in.

Nothing here rounds in silence and nothing here raises, however large, small or strange the number is.
"""

from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    Clamped,
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
)

# Wide enough for any sum of two doubles, bounded so that 1E+999999999 + 1 cannot fill the memory.
_EXACT_DIGITS = 1_000
_EXACT = Context(
    prec=_EXACT_DIGITS,
    Emax=MAX_EMAX,
    Emin=MIN_EMIN,
    traps=[Inexact, InvalidOperation, Overflow, Underflow, Clamped],
)
# A literal of the largest document, times what turns hours into microseconds.
_LITERAL = Context(prec=20_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow])
_LONGEST_NUMBER = 20


def as_decimal(value: int | float | Decimal) -> Decimal:
    """Give the number as people would write it: 0.1 is 0.1, not the nearest binary fraction."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        return Decimal(float.__repr__(value))
    return Decimal(int(value))


def decimal_from_text(text: str) -> Decimal:
    """Read a JSON number; one whose exponent no decimal can hold reads as an infinity or as zero."""
    try:
        return Decimal(text)
    except DecimalException:
        mantissa, _, exponent = text.lower().partition("e")
        if exponent.startswith("-") or not mantissa.strip("-0."):
            return Decimal(0)
        return Decimal("-Infinity") if mantissa.startswith("-") else Decimal("Infinity")


def exact_sum(left: Decimal, right: Decimal) -> Decimal | None:
    """Give ``left + right``, or None where it has more digits than are kept exactly."""
    try:
        return _EXACT.add(left, right)
    except DecimalException:
        return None


def exact_product_sum(factor: Decimal, other: Decimal, addend: Decimal) -> Decimal | None:
    """Give ``factor * other + addend``, or None where it has more digits than are kept exactly."""
    try:
        return _EXACT.fma(factor, other, addend)
    except DecimalException:
        return None


def literal_product(literal: Decimal, factor: Decimal) -> Decimal:
    """Multiply a rule's literal, whose size the validator has bounded, exactly."""
    return _LITERAL.multiply(literal, factor)


def shortest(value: Decimal) -> Decimal:
    """Give a rule's literal without trailing zeros: 1.50 and 1.5 become one."""
    return _LITERAL.normalize(value)


def is_whole(value: Decimal) -> bool:
    """Tell whether a finite number has no fraction."""
    return value == value.to_integral_value()


def plain(value: Decimal) -> int | float | str:
    """Give the number for JSON without changing it: whole, else a float that reads the same, else text."""
    if not value.is_finite():
        return str(value)
    if value.adjusted() < _LONGEST_NUMBER and is_whole(value):
        return int(value)
    nearest = float(value) if -300 < value.adjusted() < 300 else 0.0
    if Decimal(repr(nearest)) == value:
        return nearest
    return str(value)
