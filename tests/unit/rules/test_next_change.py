"""The next instant at which the clock alone changes an answer."""

from datetime import UTC, datetime, timedelta

import pytest

from services.rules.domain.conditions import evaluate, next_change
from services.rules.domain.facts import Fact, Facts
from tests.unit.rules.building import NOW, compiled, fact, facts, leaf

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
SOAK = leaf("deployment.duration_hours", "gte", 24)


@pytest.mark.parametrize(
    ("op", "hours", "after"),
    [
        ("gte", 24, 24 * HOUR),
        ("lt", 24, 24 * HOUR),
        ("gt", 24, 24 * HOUR + MICROSECOND),
        ("lte", 24, 24 * HOUR + MICROSECOND),
        ("eq", 24, 24 * HOUR),
        ("gte", 1e-10, MICROSECOND),
    ],
)
def test_a_clock_condition_turns_at_its_threshold(op: str, hours: float, after: timedelta) -> None:
    conditions = compiled(leaf("deployment.duration_hours", op, hours))

    assert next_change(conditions, Facts(active_since=NOW), NOW) == NOW + after


def test_a_fresh_fact_turns_unknown_when_it_expires() -> None:
    conditions = compiled(leaf("metrics.error_rate", "lte", 0.01, max_age="15m"))
    known = facts({"metrics.error_rate": fact(0.001, age=timedelta(minutes=5))})

    assert next_change(conditions, known, NOW) == NOW + timedelta(minutes=10)


def test_a_fact_from_the_future_counts_five_minutes_before_its_time() -> None:
    known = facts({"metrics.error_rate": fact(0.001, age=-timedelta(minutes=30))})

    assert next_change(compiled(leaf("metrics.error_rate", "lte", 0.01)), known, NOW) == NOW + timedelta(minutes=25)


def test_a_baseline_from_the_future_counts_five_minutes_before_its_time() -> None:
    later = {"previous": facts({"metrics.cost": fact(2, age=-HOUR)})}
    conditions = compiled(leaf("metrics.cost", "lt", {"baseline": "previous"}, max_age="1d"))

    assert next_change(conditions, facts({"metrics.cost": 1}, baselines=later), NOW) == NOW + timedelta(minutes=55)


def test_the_first_instant_that_changes_the_root_counts_not_the_first_that_changes_a_leaf() -> None:
    either = compiled(
        {"any": [leaf("deployment.duration_hours", "gte", 1), leaf("deployment.duration_hours", "lt", 5)]}
    )
    both = compiled({"all": [leaf("deployment.duration_hours", "gte", 1), SOAK]})

    assert next_change(either, Facts(active_since=NOW), NOW) is None
    assert next_change(both, Facts(active_since=NOW), NOW) == NOW + 24 * HOUR


def test_what_only_an_event_can_change_has_no_next_change() -> None:
    assert next_change(compiled(leaf("tests.failed", "eq", 0)), facts({"tests.failed": 0}), NOW) is None
    assert next_change(compiled(SOAK), Facts(), NOW) is None


def test_an_instant_beyond_the_calendar_never_comes() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    conditions = compiled({"all": [leaf("deployment.duration_hours", "gte", 2**53 - 1), leaf("metrics.a", "gt", 1)]})

    assert next_change(conditions, Facts({"metrics.a": Fact(2, end)}, active_since=NOW), end) is None


def test_a_day_of_soaking_is_followed_from_one_promised_instant_to_the_next() -> None:
    conditions = compiled({"all": [SOAK, leaf("metrics.error_rate", "lte", 0.01)]})
    known = facts({"metrics.error_rate": fact(0.001, age=-23.5 * HOUR)}, active_since=NOW)

    story, now = [], NOW
    while (now := next_change(conditions, known, now)) is not None:  # type: ignore[assignment]
        story.append(((now - NOW) / HOUR, str(evaluate(conditions, known, now))))

    assert story == [(24.0, "true"), (24.5, "unknown")]
