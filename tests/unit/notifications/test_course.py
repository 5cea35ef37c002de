"""What follows from an attempt, for the delivery and for the webhook."""

from datetime import timedelta

import pytest

from schemas.webhooks import DeliveryStatus
from services.notifications.domain.course import (
    DISABLE_AFTER,
    DISABLE_AFTER_FAILURES,
    FAILURES_TO_REST,
    LONGEST_DELAY_SECONDS,
    LONGEST_REST_SECONDS,
    Answer,
    NoAnswer,
    health_after,
    standing_after,
    why_disable,
)
from services.notifications.domain.hook import Health
from tests.unit.notifications.samples import NOW, attempt


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_an_answer_of_the_200s_ends_it(status: int) -> None:
    standing = standing_after(attempt(Answer(status)), jitter=0.5)

    assert (standing.status, standing.ended_at) == (DeliveryStatus.DELIVERED, NOW)


@pytest.mark.parametrize("reply", [Answer(500), Answer(404), Answer(302), Answer(199), NoAnswer("no connection")])
def test_everything_else_is_tried_again(reply: Answer | NoAnswer) -> None:
    standing = standing_after(attempt(reply), jitter=1.0)

    assert (standing.status, standing.ended_at) == (DeliveryStatus.WAITING, None)
    assert standing.due_at == NOW + timedelta(seconds=5)


def test_the_wait_grows_up_to_half_an_hour_and_is_spread() -> None:
    def wait_seconds(number: int, jitter: float) -> float:
        standing = standing_after(attempt(number=number, left_seconds=86400), jitter=jitter)
        return (standing.due_at - NOW).total_seconds()

    assert [wait_seconds(number, 1.0) for number in (1, 2, 3, 4)] == [5, 15, 45, 135]
    assert wait_seconds(50, 1.0) == LONGEST_DELAY_SECONDS
    assert wait_seconds(50, 0.0) == LONGEST_DELAY_SECONDS / 2


def test_a_receiver_may_ask_for_a_longer_wait_but_not_for_ever() -> None:
    asked = standing_after(attempt(Answer(429, retry_after_seconds=120)), jitter=1.0)
    too_long = standing_after(attempt(Answer(503, retry_after_seconds=10**9), left_seconds=86400), jitter=1.0)

    assert asked.due_at == NOW + timedelta(seconds=120)
    assert too_long.due_at == NOW + timedelta(seconds=LONGEST_DELAY_SECONDS)


def test_the_last_attempt_is_at_the_deadline() -> None:
    last_but_one = standing_after(attempt(number=9, left_seconds=60), jitter=1.0)
    last = standing_after(attempt(number=10, left_seconds=0), jitter=1.0)

    assert (last_but_one.status, last_but_one.due_at) == (DeliveryStatus.WAITING, NOW + timedelta(seconds=60))
    assert (last.status, last.ended_at) == (DeliveryStatus.FAILED, NOW)


def test_gone_means_gone() -> None:
    gone = attempt(Answer(410))

    assert standing_after(gone, jitter=1.0).status is DeliveryStatus.FAILED
    assert "410" in (why_disable(health_after(Health(), gone), gone) or "")


def test_a_webhook_that_fails_again_and_again_rests_longer_and_longer() -> None:
    health, rests = Health(), []
    for _ in range(FAILURES_TO_REST + 20):
        health = health_after(health, attempt())
        rests.append(None if health.rests_until is None else (health.rests_until - NOW).total_seconds())

    assert rests[: FAILURES_TO_REST - 1] == [None] * (FAILURES_TO_REST - 1)
    assert rests[FAILURES_TO_REST - 1 : FAILURES_TO_REST + 2] == [5, 10, 20]
    assert rests[-1] == LONGEST_REST_SECONDS
    assert health.failing_since == NOW


def test_one_that_is_taken_makes_good_all_before_it() -> None:
    failing = Health(failures=30, failing_since=NOW, rests_until=NOW + timedelta(minutes=5))

    assert health_after(failing, attempt(Answer(204))) == Health(last_delivered_at=NOW)


def test_a_webhook_is_disabled_after_days_and_many_attempts_and_not_before() -> None:
    def reason(failures: int, since: timedelta) -> str | None:
        return why_disable(Health(failures=failures, failing_since=NOW - since), attempt(NoAnswer("no connection")))

    assert reason(DISABLE_AFTER_FAILURES - 1, DISABLE_AFTER) is None
    assert reason(DISABLE_AFTER_FAILURES, DISABLE_AFTER - timedelta(seconds=1)) is None
    said = reason(DISABLE_AFTER_FAILURES, DISABLE_AFTER)
    assert said is not None
    assert "no connection" in said
    assert "2029-12-29T12:00:00" in said


def test_a_redirect_says_what_to_do() -> None:
    assert "redirects are not followed" in (attempt(Answer(302)).error or "")
