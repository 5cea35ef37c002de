"""From events to facts: test runs, metrics, who wins, and what comes from the future."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules.domain.conditions import evaluate
from services.rules.domain.facts import (
    Admitted,
    Counts,
    Facts,
    HeldUntil,
    Parked,
    Reason,
    RunEvent,
    admit,
    deployment_facts,
    last_written,
    merged,
    metric_facts,
    summarise_runs,
)
from tests.unit.rules.building import NOW, compiled, fact, leaf

MINUTE = timedelta(minutes=1)
GREEN = Counts(passed=10, failed=0, skipped=2)
RED = Counts(passed=9, failed=1)


def started(run_id: str, minute: int, *, suite: str = "smoke") -> RunEvent:
    at = NOW + minute * MINUTE
    return RunEvent(suite, run_id, finished=False, observed_at=at, source="ci", event_id=f"{run_id}-start-{minute}")


def finished(
    run_id: str, minute: int, counts: Counts | None = GREEN, *, suite: str = "smoke", outcome: str | None = None
) -> RunEvent:
    return RunEvent(
        suite,
        run_id,
        finished=True,
        observed_at=NOW + minute * MINUTE,
        source="ci",
        event_id=f"{run_id}-end-{minute}",
        counts=counts,
        outcome=outcome,
    )


def values_of(*events: RunEvent) -> dict[str, Any]:
    return {path: fact.value for path, fact in summarise_runs(events).facts.items()}


def test_the_latest_finished_run_of_each_suite_counts() -> None:
    values = values_of(finished("r1", 0, RED), finished("r2", 5), finished("r3", 3, RED, suite="load"))

    assert values == {
        "tests.total": 22,
        "tests.passed": 19,
        "tests.failed": 1,
        "tests.errors": 0,
        "tests.skipped": 2,
        "tests.pass_rate": Decimal(1900) / 20,
        "tests.outcome": "failure",
        "tests.passed_suites": ["smoke"],
    }


def test_facts_name_the_event_that_showed_them() -> None:
    shown = summarise_runs([finished("r1", 0), finished("r2", 5)]).facts["tests.failed"]

    assert (shown.event_id, shown.source, shown.observed_at) == ("r2-end-5", "ci", NOW + 5 * MINUTE)


def test_a_pass_rate_is_never_rounded_up_to_a_hundred() -> None:
    most = 2**53 - 2
    values = values_of(finished("r1", 0, Counts(passed=most, failed=1)))

    assert values["tests.pass_rate"] < 100


def test_a_pass_rate_is_exact_far_beyond_any_threshold_and_never_above_the_truth() -> None:
    rate = values_of(finished("r1", 0, Counts(passed=2, failed=1)))["tests.pass_rate"]

    assert 0 < Fraction(200, 3) - Fraction(rate) < Fraction(1, 10**50)


def test_without_an_executed_test_there_is_no_rate_and_no_success() -> None:
    values = values_of(finished("r1", 0, Counts(0, 0, skipped=3)))

    assert "tests.pass_rate" not in values
    assert "tests.outcome" not in values
    assert values["tests.total"] == 3
    assert values["tests.passed_suites"] == []


def test_a_suite_that_ran_nothing_keeps_the_whole_from_being_a_success() -> None:
    assert "tests.outcome" not in values_of(finished("r1", 0), finished("r2", 0, Counts(0, 0), suite="load"))


def test_an_outcome_without_counts_leaves_the_rate_unknown() -> None:
    values = values_of(finished("r1", 0, None, outcome="success"), finished("r2", 0, suite="load"))

    assert values == {"tests.outcome": "success", "tests.passed_suites": ["load", "smoke"]}


@pytest.mark.parametrize("outcome", ["cancel", "error"])
def test_the_counts_of_a_run_that_broke_off_prove_nothing(outcome: str) -> None:
    values = values_of(finished("r1", 0, GREEN, outcome=outcome))

    assert values == {"tests.outcome": outcome, "tests.passed_suites": []}


def test_an_outcome_that_contradicts_its_counts_is_the_worse_of_both() -> None:
    assert values_of(finished("r1", 0, RED, outcome="success"))["tests.outcome"] == "failure"


@pytest.mark.parametrize(
    ("events", "under_way"),
    [
        ([started("r1", 0)], True),
        ([started("r1", 0), finished("r1", 5)], False),
        ([started("r1", 0), finished("r1", 5), started("r2", 6)], True),
        ([started("r1", 0), finished("r1", 5), started("r2", 6), finished("r2", 9)], False),
        ([started("r1", 0), started("r2", 3), finished("r1", 5)], True),
        ([started("r0", -9), started("r1", 0), finished("r1", 5)], False),
        ([finished("r1", 5), started("r1", 6)], True),
        ([finished("r1", 5), started("r2", 5)], True),
        ([started("r1", 5), finished("r1", 5)], False),
        ([finished("r1", 5), started("r2", 1, suite="load")], True),
    ],
)
def test_a_newer_run_in_progress_holds_every_test_field_back(events: list[RunEvent], under_way: bool) -> None:
    for order in permutations(events):
        summary = summarise_runs(order)

        assert ("tests.pass_rate" in summary.states) is under_way
        assert set(summary.states.values()) <= {Reason.RUN_IN_PROGRESS}


def test_a_run_that_starts_takes_a_met_condition_back_until_it_finishes() -> None:
    conditions = compiled(leaf("tests.pass_rate", "gte", 100))
    events = [finished("r1", 0)]

    answers = []
    for event in (None, started("r2", 1), finished("r2", 2, RED), finished("r3", 3)):
        events += [event] if event else []
        summary = summarise_runs(events)
        answers.append(str(evaluate(conditions, Facts(summary.facts, states=summary.states), NOW + 9 * MINUTE)))

    assert answers == ["true", "unknown", "false", "true"]


run_events = st.builds(
    lambda is_end, run, minute, suite, counts: (
        finished(run, minute, counts, suite=suite) if is_end else started(run, minute, suite=suite)
    ),
    st.booleans(),
    st.sampled_from(["r1", "r2", "r3"]),
    st.integers(0, 4),
    st.sampled_from(["smoke", "load"]),
    st.sampled_from([GREEN, None]),
)


@given(st.lists(run_events, max_size=8, unique_by=lambda event: (event.suite, event.event_id)), st.randoms())
def test_neither_order_nor_repetition_of_run_events_matters(events: list[RunEvent], shuffler: Any) -> None:
    again = events + events[:3]
    shuffler.shuffle(again)

    assert summarise_runs(again) == summarise_runs(events)


def test_metrics_and_deployments_become_facts_under_their_names() -> None:
    measured = metric_facts({"error_rate": Decimal("0.01"), "cost": None}, observed_at=NOW, source="m", event_id="1")
    deployed = deployment_facts(version="1.2", environment="staging", observed_at=NOW, source="d", event_id="2")

    assert {path: known.value for path, known in (measured | deployed).items()} == {
        "metrics.error_rate": Decimal("0.01"),
        "metrics.cost": None,
        "deployment.version": "1.2",
        "deployment.environment": "staging",
    }


def test_the_last_writer_by_event_time_wins_and_ties_go_by_source_and_id() -> None:
    old, new = fact(1, age=MINUTE, event_id="z"), fact(2, event_id="a")
    tied = fact(3, event_id="b")

    for order in permutations([old, new, tied]):
        standing = None
        for arriving in order:
            standing = last_written(standing, arriving)
        assert standing is tied


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 5)), max_size=8), st.randoms())
def test_any_order_of_arrival_gives_the_same_facts(observed: list[tuple[int, str, int]], shuffler: Any) -> None:
    events = [
        metric_facts({name: value}, observed_at=NOW + minute * MINUTE, source="m", event_id=f"{name}{value}")
        for minute, name, value in observed
    ]
    shuffled = list(events)
    shuffler.shuffle(shuffled)

    ends = []
    for order in (events, shuffled):
        standing: dict[str, Any] = {}
        for arriving in order:
            standing = merged(standing, arriving)
        ends.append(standing)

    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (-timedelta(days=900), Admitted()),
        (timedelta(minutes=5), Admitted()),
        (timedelta(minutes=5, seconds=1), HeldUntil(NOW + timedelta(seconds=1))),
        (timedelta(hours=24), HeldUntil(NOW + timedelta(hours=23, minutes=55))),
    ],
)
def test_a_fact_from_the_future_is_held_until_its_time(ahead: timedelta, expected: object) -> None:
    assert admit(NOW + ahead, now=NOW) == expected


def test_a_fact_more_than_a_day_ahead_is_parked_with_a_sentence() -> None:
    decision = admit(NOW + timedelta(hours=24, seconds=1), now=NOW)

    assert isinstance(decision, Parked)
    assert "2025-06-02T12:00:01+00:00" in decision.message


def test_a_fact_held_until_its_time_is_admitted_then() -> None:
    observed_at: datetime = NOW + timedelta(hours=3)
    held = admit(observed_at, now=NOW)

    assert isinstance(held, HeldUntil)
    assert admit(observed_at, now=held.instant) == Admitted()
