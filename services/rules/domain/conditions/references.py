"""References to a baseline, checked when the rule is written."""

import difflib
from decimal import Decimal

from services.rules.domain.conditions.errors import Code, Findings
from services.rules.domain.conditions.literals import check_bounds
from services.rules.domain.conditions.predicates import COMPARISONS
from services.rules.domain.conditions.tree import BaselineName, Reference
from services.rules.domain.conditions.wording import pointer, show
from services.rules.domain.facts import Field, FieldType
from services.rules.domain.facts.numbers import as_decimal, literal_product

_BASELINES: dict[str, BaselineName] = {"target_current": "target_current", "previous": "previous"}
_KEYS = ("baseline", "percent", "delta", "on_missing")
_PERCENT = Decimal("0.01")


def check_reference(field: Field, op: str, value: dict[str, object], path: str, findings: Findings) -> Reference | None:
    """Check an object that stands as a leaf's value."""
    before = len(findings.errors)
    _check_place(field, op, value, path, findings)
    _check_keys(value, path, findings)
    baseline = _check_baseline(value, path, findings)
    amounts = {
        key: _check_amount(value[key], pointer(path, key), findings) for key in ("percent", "delta") if key in value
    }
    passes = _check_on_missing(value, path, findings)
    if len(findings.errors) > before or baseline is None:
        return None
    stated = tuple((key, amount) for key, amount in amounts.items() if amount is not None)
    percent = amounts.get("percent")
    factor = None if percent is None else literal_product(percent, _PERCENT)
    return Reference(baseline, factor, amounts.get("delta"), passes, stated)


def _check_place(field: Field, op: str, value: dict[str, object], path: str, findings: Findings) -> None:
    if op not in COMPARISONS:
        findings.add(
            path,
            Code.BASELINE_NOT_ALLOWED,
            f"{op} cannot compare with a baseline",
            f"use one of {', '.join(COMPARISONS)}",
        )
    elif field.is_clock:
        findings.add(
            path,
            Code.BASELINE_NOT_ALLOWED,
            f"{field.path} runs with the clock and has no baseline",
            "compare it with a number of hours",
        )
    elif not field.is_numeric and field.type is not FieldType.ANY and {"percent", "delta"} & value.keys():
        findings.add(
            path,
            Code.BASELINE_NOT_ALLOWED,
            f"{field.path} is not a number, so percent and delta mean nothing",
            "leave percent and delta out",
        )


def _check_keys(value: dict[str, object], path: str, findings: Findings) -> None:
    for key in value:
        if key not in _KEYS:
            findings.add(
                pointer(path, key),
                Code.UNKNOWN_KEY,
                f"a reference has no key {show(key)}",
                f"its keys are {', '.join(_KEYS)}",
            )
    if "percent" in value and "delta" in value:
        findings.add(
            path,
            Code.CONFLICTING_KEYS,
            "percent and delta are both given",
            "keep one: percent scales the baseline, delta is added to it",
        )


def _check_baseline(value: dict[str, object], path: str, findings: Findings) -> BaselineName | None:
    if "baseline" not in value:
        findings.add(
            path,
            Code.INVALID_BASELINE,
            "an object is a reference, and this one names no baseline",
            'write {"baseline": "target_current"} or a plain value',
        )
        return None
    name = value["baseline"]
    known = _BASELINES.get(name) if isinstance(name, str) else None
    if known is None:
        close = difflib.get_close_matches(str(name)[:64], _BASELINES, n=1)
        findings.add(
            pointer(path, "baseline"),
            Code.INVALID_BASELINE,
            f"there is no baseline {show(name)}",
            f"did you mean {close[0]}?" if close else "the baselines are target_current and previous",
        )
    return known


def _check_amount(amount: object, path: str, findings: Findings) -> Decimal | None:
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal):
        findings.add(
            path, Code.INVALID_BASELINE, f"is {show(amount)}; a number is needed", "write a number, such as 10"
        )
        return None
    return check_bounds(as_decimal(amount), path, findings)


def _check_on_missing(value: dict[str, object], path: str, findings: Findings) -> bool:
    choice = value.get("on_missing", "unknown")
    if choice not in ("unknown", "pass"):
        findings.add(
            pointer(path, "on_missing"),
            Code.INVALID_ON_MISSING,
            f"is {show(choice)}",
            "write unknown (wait for a baseline) or pass (hold without one)",
        )
    return choice == "pass"
