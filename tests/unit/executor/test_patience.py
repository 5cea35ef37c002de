"""Waiting: between attempts, and before a gateway that fails is called again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.domain.breaker import FAILURES_TO_OPEN, LONGEST_REST_SECONDS, Breaker, BreakerState
from services.executor.domain.retry import delay_seconds
from tests.unit.executor.executions import START


@given(attempts=st.integers(1, 10_000), age_seconds=st.floats(0, 10**7), jitter=st.floats(0, 1))
def test_attempts_are_at_most_4_s_apart_in_the_first_minute_and_60_s_after(
    attempts: int, age_seconds: float, jitter: float
) -> None:
    delay = delay_seconds(attempts=attempts, age_seconds=age_seconds, jitter=jitter)

    assert 0.1 < delay <= (4 if age_seconds <= 60 else 60)


def test_the_wait_doubles_and_then_grows_with_age() -> None:
    early = [delay_seconds(attempts=number, age_seconds=number, jitter=1.0) for number in range(1, 8)]
    late = [delay_seconds(attempts=30, age_seconds=age, jitter=1.0) for age in (60, 120, 450, 900, 10_000)]

    assert early == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert late == [4.0, 8.0, 30.0, 60.0, 60.0]


@pytest.mark.parametrize(("jitter", "delay"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_jitter_spreads_over_the_upper_half(jitter: float, delay: float) -> None:
    assert delay_seconds(attempts=3, age_seconds=0, jitter=jitter) == delay


def after_failures(count: int, seconds_apart: float = 0.0) -> Breaker:
    breaker = Breaker()
    for number in range(count):
        breaker = breaker.after_failure(START + timedelta(seconds=number * seconds_apart))
    return breaker


def test_a_breaker_opens_after_failures_in_a_row() -> None:
    assert after_failures(FAILURES_TO_OPEN - 1).state(START) is BreakerState.CLOSED
    assert after_failures(FAILURES_TO_OPEN).state(START) is BreakerState.OPEN


def test_an_open_breaker_lets_one_through_after_its_rest() -> None:
    assert after_failures(FAILURES_TO_OPEN).state(START + timedelta(seconds=0.5)) is BreakerState.PROBING


def test_calls_that_were_under_way_do_not_prolong_the_rest() -> None:
    assert after_failures(FAILURES_TO_OPEN) == after_failures(FAILURES_TO_OPEN + 60)


def test_each_failed_probe_doubles_the_rest_up_to_its_limit() -> None:
    now, breaker, rests = START, after_failures(FAILURES_TO_OPEN), []
    for _ in range(6):
        assert breaker.opens_at is not None
        rests.append((breaker.opens_at - now).total_seconds())
        now = breaker.opens_at
        breaker = breaker.after_failure(now)

    assert rests == [0.5, 1.0, 2.0, 4.0, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS]
