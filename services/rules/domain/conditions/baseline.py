"""What a rule compares with when it refers to another deployment: b + |b| x percent / 100, or b + delta, exactly."""

from datetime import datetime
from decimal import Decimal

from services.rules.domain.conditions.tree import Reference
from services.rules.domain.facts import Facts, Reason
from services.rules.domain.facts.numbers import exact_product_sum, exact_sum
from services.rules.domain.facts.reading import Kind, Member


def reference_value(reference: Reference, path: str, facts: Facts, now: datetime) -> Member | Reason | None:
    """Give the value to compare with, with its kind.

    None where there is no such deployment or nothing was ever observed of it: the only case that
    ``on_missing: pass`` speaks of. A baseline that is there but cannot be used is ``no_baseline`` all the same. Its
    age does not matter: the deployment that it describes is usually no longer the one in use.
    """
    baseline = facts.baselines.get(reference.baseline)
    reading = None if baseline is None else baseline.readings[path]
    if reading is None or reading.flaw is Reason.MISSING:
        return None
    if reading.flaw is not None or reading.kind is Kind.LIST:
        return Reason.NO_BASELINE
    if now < reading.not_before:
        return Reason.NO_BASELINE
    if not reference.stated:
        return reading.kind, reading.value
    if not isinstance(reading.value, Decimal):
        return Reason.NO_BASELINE
    value = _shifted(reading.value, reference)
    return Reason.NO_BASELINE if value is None else (Kind.NUMBER, value)


def _shifted(base: Decimal, reference: Reference) -> Decimal | None:
    if reference.factor is not None:
        return exact_product_sum(base.copy_abs(), reference.factor, base)
    return base if reference.delta is None else exact_sum(base, reference.delta)
