"""A reading: a fact's value, classified once against its field, so that evaluation only looks and compares."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum

from services.rules.domain.facts.fields import Field, FieldType
from services.rules.domain.facts.numbers import as_decimal
from services.rules.domain.facts.reasons import Reason


class Kind(Enum):
    """The types that the language tells apart; a boolean is not a number."""

    NUMBER = "number"
    TEXT = "string"
    BOOLEAN = "boolean"
    LIST = "list"
    OTHER = "object"


# Elements are compared with their kind, since in Python True == 1.
Member = tuple[Kind, object]
# An event may be this much ahead of the clock that judges it; clocks are never quite the same.
AHEAD_TOLERATED = timedelta(minutes=5)
_THE_BEGINNING = datetime.min.replace(tzinfo=UTC)
_EARLIEST = _THE_BEGINNING + AHEAD_TOLERATED


class Reading:
    """A classified value; ``flaw`` says why it cannot be used at any instant. Never changed once built.

    ``value`` is a Decimal, str or bool, a frozenset of (kind, value) for a list, or the raw value where it is flawed;
    ``kind`` is OTHER where it is flawed. It counts from ``not_before`` on: facts may be a little ahead of the clock.
    """

    __slots__ = ("flaw", "kind", "not_before", "observed_at", "value")

    def __init__(
        self,
        *,
        value: object,
        kind: Kind = Kind.OTHER,
        flaw: Reason | None = None,
        observed_at: datetime = _THE_BEGINNING,
    ) -> None:
        self.value = value
        self.kind = kind if flaw is None else Kind.OTHER
        self.flaw = flaw
        self.observed_at = observed_at
        self.not_before = max(observed_at, _EARLIEST) - AHEAD_TOLERATED


def classify(value: object) -> Member | None:
    """Give a scalar with its kind, numbers as decimals; None for what is not a scalar (a null is not one)."""
    if isinstance(value, bool):
        return Kind.BOOLEAN, value
    if isinstance(value, str):
        return Kind.TEXT, value
    if isinstance(value, int | float | Decimal):
        return Kind.NUMBER, as_decimal(value)
    return None


def read_value(field: Field, value: object, observed_at: datetime) -> Reading:
    """Classify ``value`` for ``field``, and find what makes it unusable, if anything does."""
    if value is None:
        return Reading(value=None, flaw=Reason.NULL, observed_at=observed_at)
    if isinstance(value, list | tuple):
        return _read_list(field, value, observed_at)
    scalar = classify(value)
    if scalar is None:
        return Reading(value=value, flaw=Reason.TYPE_MISMATCH, observed_at=observed_at)
    kind, normal = scalar
    return Reading(value=normal, kind=kind, flaw=_flaw(field, normal), observed_at=observed_at)


def _read_list(field: Field, items: Sequence[object], observed_at: datetime) -> Reading:
    members = [classify(item) for item in items if item is not None]
    scalars = [member for member in members if member is not None]
    flaw = None
    if field.type not in (FieldType.ANY, FieldType.TEXTS) or len(scalars) < len(members):
        flaw = Reason.TYPE_MISMATCH
    elif any(isinstance(item, Decimal) and not item.is_finite() for _, item in scalars):
        flaw = Reason.NOT_FINITE
    elif field.type is FieldType.TEXTS and any(kind is not Kind.TEXT for kind, _ in scalars):
        flaw = Reason.TYPE_MISMATCH
    value: object = items if flaw else frozenset(scalars)
    return Reading(value=value, kind=Kind.LIST, flaw=flaw, observed_at=observed_at)


def _flaw(field: Field, value: object) -> Reason | None:
    if isinstance(value, Decimal):
        if not value.is_finite():
            return Reason.NOT_FINITE
        if field.type is FieldType.ANY:
            return None
        if not field.is_numeric:
            return Reason.TYPE_MISMATCH
        return None if field.admits(value) else Reason.OUT_OF_DOMAIN
    if field.type is FieldType.ANY:
        return None
    if not isinstance(value, str) or field.is_numeric or field.type is FieldType.TEXTS:
        return Reason.TYPE_MISMATCH
    return Reason.OUT_OF_DOMAIN if field.choices and value not in field.choices else None
