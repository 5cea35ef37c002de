"""Replaying a record: the first instant at which a rule's conditions held."""

from datetime import datetime, timedelta
from typing import Any

from services.rules.backtest import Recording, first_promotion
from services.rules.domain.conditions import compile_conditions
from services.rules.domain.facts import Counts, Fact, RunEvent
from tests.unit.rules_service.samples import NOW, a_deployment

QUIET = {"field": "metrics.error_rate", "op": "lte", "value": 0.01}
SOAKED = {"field": "deployment.duration_hours", "op": "gte", "value": 24}


def hours(count: float) -> datetime:
    return NOW + timedelta(hours=count)


def recording(*rates: tuple[float, float], started: float = 0, ended: float | None = None, **more: Any) -> Recording:
    return Recording(
        deployment=a_deployment(),
        started=hours(started),
        ended=None if ended is None else hours(ended),
        initial=more.pop("initial", {}),
        facts=[("metrics.error_rate", Fact(rate, hours(at))) for at, rate in rates],
        runs=more.pop("runs", ()),
        **more,
    )


def first(conditions: dict[str, Any], recorded: Recording, *, since: float = 0, until: float = 100) -> datetime | None:
    return first_promotion(compile_conditions(conditions), recorded, since=hours(since), until=hours(until))


def test_the_first_fact_that_completes_the_conditions_counts() -> None:
    assert first(QUIET, recording((1, 0.5), (2, 0.0), (3, 0.0))) == hours(2)


def test_the_clock_is_followed_between_facts() -> None:
    assert first({"all": [SOAKED]}, recording((1, 0.5))) == hours(24)
    assert first({"not": QUIET}, recording((1, 0.0))) is None


def test_a_fact_is_stale_in_a_replay_as_it_was_then() -> None:
    assert first({"all": [QUIET, SOAKED]}, recording((1, 0.0))) is None
    assert first({"all": [QUIET, SOAKED]}, recording((1, 0.0), (23.5, 0.0))) == hours(24)


def test_a_deployment_that_was_not_active_is_not_promoted() -> None:
    assert first(QUIET, recording((2, 0.0), ended=2)) is None
    assert first(QUIET, recording((2, 0.0), started=2.5)) == hours(2.5)


def test_what_was_before_the_time_counts_as_known() -> None:
    known = {"metrics.error_rate": Fact(0.0, hours(9.5))}

    assert first(QUIET, recording(initial=known), since=10) == hours(10)


def test_a_run_in_progress_holds_back_in_a_replay_too() -> None:
    def run(name: str, at: float, *, finished: bool) -> RunEvent:
        return RunEvent("smoke", name, finished, hours(at), "ci", f"{name}-{at}", Counts(1, 0) if finished else None)

    runs = [
        run("b", 1, finished=False),
        run("a", 1.5, finished=False),
        run("b", 2, finished=True),
        run("a", 3, finished=True),
    ]
    passed = {"field": "tests.pass_rate", "op": "eq", "value": 100}

    assert first(passed, recording(runs=runs)) == hours(3)
    assert first(passed, recording(runs=[runs[0], runs[2]])) == hours(2)


def test_the_deployment_that_ran_in_the_target_then_is_compared() -> None:
    reference = {"baseline": "target_current"}
    conditions = {"field": "metrics.error_rate", "op": "lt", "value": reference}
    target = recording((1, 0.5), started=0, ended=10)

    assert first(conditions, recording((1.5, 0.1), targets=[target])) == hours(1.5)
    assert first(conditions, recording((11, 0.1), targets=[target])) is None
