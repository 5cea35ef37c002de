"""What conditions are worth: three values, ages, baselines, held-back fields, and facts that are nonsense."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from services.rules.domain.conditions import Value, evaluate
from services.rules.domain.facts import Fact, Facts, Reason
from tests.unit.rules.building import NOW, compiled, fact, facts, leaf

SECOND = timedelta(seconds=1)
ERROR_RATE = leaf("metrics.error_rate", "lte", 0.01)


def value_of(document: object, known: Facts, now: datetime = NOW) -> str:
    return str(evaluate(compiled(document), known, now))


@pytest.mark.parametrize(
    ("age", "max_age", "expected"),
    [
        (timedelta(minutes=59, seconds=59), None, "true"),
        (timedelta(hours=1) - timedelta(microseconds=1), None, "true"),
        (timedelta(hours=1), None, "unknown"),
        (timedelta(minutes=15) - SECOND, "15m", "true"),
        (timedelta(minutes=15), "15m", "unknown"),
        (timedelta(days=2), "7d", "true"),
        (-timedelta(minutes=5), None, "true"),
        (-timedelta(minutes=5, microseconds=1), None, "unknown"),
    ],
)
def test_a_fact_counts_while_it_is_fresh_and_not_from_the_future(
    age: timedelta, max_age: str | None, expected: str
) -> None:
    document = ERROR_RATE if max_age is None else {**ERROR_RATE, "max_age": max_age}

    assert value_of(document, facts({"metrics.error_rate": fact(0.001, age=age)})) == expected


def test_a_stale_fact_is_unknown_even_where_it_would_have_failed() -> None:
    assert value_of(ERROR_RATE, facts({"metrics.error_rate": fact(0.5, age=timedelta(hours=3))})) == "unknown"


def test_a_value_ten_thousand_years_off_is_only_unknown() -> None:
    for instant in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))):
        assert value_of(ERROR_RATE, Facts({"metrics.error_rate": Fact(0.001, instant)})) == "unknown"


@pytest.mark.parametrize(
    ("document", "active_for", "expected"),
    [
        (leaf("deployment.duration_hours", "gte", 24), timedelta(hours=24), "true"),
        (leaf("deployment.duration_hours", "gt", 24), timedelta(hours=24), "false"),
        (leaf("deployment.duration_hours", "gt", 24), timedelta(hours=24, microseconds=1), "true"),
        (leaf("deployment.duration_hours", "gte", 24), timedelta(hours=24, microseconds=-1), "false"),
        (leaf("deployment.duration_hours", "between", [1, 2]), timedelta(hours=2), "true"),
        (leaf("deployment.duration_hours", "gte", Decimal("0.1")), timedelta(seconds=360), "true"),
    ],
)
def test_hours_since_activation_are_exact(document: object, active_for: timedelta, expected: str) -> None:
    assert value_of(document, Facts(active_since=NOW - active_for)) == expected


def test_hours_are_elapsed_time_whatever_the_zones_are() -> None:
    tokyo = timezone(timedelta(hours=9))
    known = Facts(active_since=(NOW - timedelta(hours=24)).astimezone(tokyo))

    assert value_of(leaf("deployment.duration_hours", "gte", 24), known) == "true"


def test_a_deployment_that_is_not_active_has_no_hours() -> None:
    assert value_of(leaf("deployment.duration_hours", "lt", 24), Facts()) == "unknown"


def baselines(**values: object) -> dict[str, Facts]:
    return {name: facts({"metrics.cost": value}) for name, value in values.items()}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"baseline": "previous"}, "true"),
        ({"baseline": "target_current"}, "false"),
        ({"baseline": "target_current", "percent": 10}, "true"),
        ({"baseline": "target_current", "percent": 9.99}, "false"),
        ({"baseline": "target_current", "delta": 0.11}, "true"),
        ({"baseline": "target_current", "delta": 0.10}, "false"),
    ],
)
def test_a_reference_compares_exactly_with_the_other_deployment(reference: object, expected: str) -> None:
    known = facts({"metrics.cost": 1.21}, baselines=baselines(target_current=1.1, previous=2))

    assert value_of(leaf("metrics.cost", "lte", reference), known) == expected


def test_on_missing_pass_speaks_of_the_baseline_only() -> None:
    document = leaf("metrics.cost", "lte", {"baseline": "previous", "on_missing": "pass"})

    assert value_of(document, facts({"metrics.cost": 5})) == "true"
    assert value_of(document, facts({"metrics.cost": 5}, baselines=baselines(target_current=1))) == "true"
    assert value_of(document, facts({"metrics.cost": None})) == "unknown"
    assert value_of(document, facts({})) == "unknown"


@pytest.mark.parametrize("broken", [None, float("nan"), "cheap", [1], fact(1, age=-timedelta(hours=1))])
def test_a_baseline_that_is_nonsense_does_not_pass_for_a_missing_one(broken: object) -> None:
    document = leaf("metrics.cost", "lte", {"baseline": "previous", "on_missing": "pass"})
    known = facts({"metrics.cost": 5}, baselines=baselines(previous=broken))

    assert value_of(document, known) == "unknown"


def test_a_baseline_does_not_grow_stale() -> None:
    known = facts({"metrics.cost": 1}, baselines=baselines(previous=fact(2, age=timedelta(days=40))))

    assert value_of(leaf("metrics.cost", "lt", {"baseline": "previous"}), known) == "true"


def test_a_baseline_too_large_for_exact_arithmetic_is_no_baseline() -> None:
    known = facts({"metrics.cost": 1}, baselines=baselines(previous=Decimal("1E+999999999")))

    assert value_of(leaf("metrics.cost", "lt", {"baseline": "previous", "delta": 1}), known) == "unknown"


def test_arithmetic_on_a_baseline_is_exact_however_many_digits_it_takes() -> None:
    known = facts({"metrics.cost": Decimal("1e30")}, baselines=baselines(previous=Decimal("1e30")))

    assert value_of(leaf("metrics.cost", "lt", {"baseline": "previous", "delta": 0.1}), known) == "true"
    assert value_of(leaf("metrics.cost", "gt", {"baseline": "previous", "percent": -1e-9}), known) == "true"


def test_versions_can_be_compared_with_what_runs_in_the_target() -> None:
    document = leaf("deployment.version", "ne", {"baseline": "target_current"})
    running = {"target_current": facts({"deployment.version": "1.2.0"})}

    assert value_of(document, facts({"deployment.version": "1.3.0"}, baselines=running)) == "true"
    assert value_of(document, facts({"deployment.version": "1.2.0"}, baselines=running)) == "false"


def test_a_field_that_a_run_in_progress_holds_back_is_unknown_whatever_it_was() -> None:
    held = {"tests.pass_rate": Reason.RUN_IN_PROGRESS}
    document = leaf("tests.pass_rate", "gte", 100)

    assert value_of(document, facts({"tests.pass_rate": 100}, states=held)) == "unknown"
    assert value_of({"not": document}, facts({"tests.pass_rate": 50}, states=held)) == "unknown"
    assert value_of(leaf("tests.pass_rate", "exists", False), facts({}, states=held)) == "true"


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        float("nan"),
        float("-inf"),
        Decimal("sNaN"),
        True,
        "0.001",
        [0.001],
        {"value": 0.001},
        b"0.001",
        object(),
        -0.001,
        1.001,
        Decimal("1e131071"),
        10**400,
        "x" * 16_384,
    ],
)
@pytest.mark.parametrize("op", ["lte", "gt", "ne", "not_in"])
def test_nonsense_in_a_fact_is_unknown_and_so_is_its_opposite(nonsense: object, op: str) -> None:
    document = leaf("metrics.error_rate", op, [0.01] if op == "not_in" else 0.01)
    known = facts({"metrics.error_rate": nonsense})

    assert value_of(document, known) == "unknown"
    assert value_of({"not": document}, known) == "unknown"
    assert value_of(leaf("metrics.error_rate", "exists", True), known) == "false"


def test_a_huge_number_is_a_number() -> None:
    assert value_of(leaf("custom.x", "gt", 2**53 - 1), facts({"custom.x": Decimal("1e131071")})) == "true"


def test_lists_compare_elements_by_type_and_value() -> None:
    known = facts({"custom.x": [1, "a", None, True]})

    assert value_of(leaf("custom.x", "contains", 1.0), known) == "true"
    assert value_of(leaf("custom.x", "contains", "1"), known) == "false"
    assert value_of(leaf("custom.x", "not_contains", False), known) == "true"


@pytest.mark.parametrize("broken", [[float("nan")], [["a"]], [{"a": 1}]])
def test_a_list_with_anything_but_sound_scalars_is_unknown(broken: object) -> None:
    assert value_of(leaf("custom.x", "not_contains", "a"), facts({"custom.x": broken})) == "unknown"


def test_only_true_is_called_true() -> None:
    assert [str(value) for value in Value] == ["true", "false", "unknown"]


def test_a_naive_time_in_a_fact_is_refused_when_the_fact_is_made() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        Fact(1, datetime(2025, 1, 1))  # noqa: DTZ001
