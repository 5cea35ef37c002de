"""Promotions that wait for their conditions: told anew only when there is something to tell."""

from datetime import datetime, timedelta

import pytest

from schemas.vocabulary import ConditionsResult
from services.rules.domain.evaluated import Target
from services.rules.domain.facts import Fact, Facts
from services.rules.handlers.waiting import Watched, reevaluate
from services.rules.store.requests import KeptRequest
from tests.unit.rules_service.samples import NOW, a_request, a_rule

KEY = ("acme", "dep-1")
TRUE, UNKNOWN, FALSE = ConditionsResult.TRUE, ConditionsResult.UNKNOWN, ConditionsResult.FALSE


def watched(last: ConditionsResult, holds_until: datetime | None, *, conditions: object = None) -> Watched:
    rule = a_rule() if conditions is None else a_rule(conditions=conditions)
    target = Target("development", "gw-staging", "1.0.0", None)
    kept = KeptRequest(
        request=a_request(),
        latest_number=4,
        hold_until=None,
        watching=True,
        target=target,
        snapshot=((rule.id, 1),),
        conditions=last,
        holds_until=holds_until,
    )
    return Watched(kept, (rule,))


def knowing(rate: float, *, minutes_ago: float = 0) -> dict[tuple[str, str], Facts]:
    return {KEY: Facts({"metrics.error_rate": Fact(rate, NOW - timedelta(minutes=minutes_ago))})}


@pytest.mark.parametrize(
    ("last", "promised_minutes", "rate", "minutes_ago", "told"),
    [
        (UNKNOWN, None, 0.0, 0, TRUE),
        (FALSE, None, 0.0, 0, TRUE),
        (TRUE, 60, 0.5, 0, FALSE),
        (TRUE, 0, 0.0, 60, UNKNOWN),
        (TRUE, 0, 0.0, 10, TRUE),
        (TRUE, 55, 0.0, 10, TRUE),
        (TRUE, 50, 0.0, 10, None),
        (TRUE, 30, 0.0, 10, None),
        (FALSE, None, 0.5, 0, None),
        (UNKNOWN, None, 0.0, 61, None),
    ],
)
def test_another_result_and_a_promise_that_ended_or_ends_earlier_are_told(
    last: ConditionsResult, promised_minutes: int | None, rate: float, minutes_ago: int, told: ConditionsResult | None
) -> None:
    promised = None if promised_minutes is None else NOW + timedelta(minutes=promised_minutes)

    seen = reevaluate([watched(last, promised)], knowing(rate, minutes_ago=minutes_ago), now=NOW)

    assert [each.conditions for each in seen.evaluations] == ([] if told is None else [told])
    assert all(each.number == 5 for each in seen.evaluations)


def test_the_clock_is_set_to_the_next_change() -> None:
    seen = reevaluate([watched(TRUE, NOW + timedelta(hours=1))], knowing(0.0), now=NOW)

    assert seen.next_changes == {KEY: NOW + timedelta(hours=1)}


def test_what_is_compared_with_another_deployment_is_looked_at_every_minute() -> None:
    conditions = {"field": "metrics.error_rate", "op": "lte", "value": {"baseline": "target_current"}}

    seen = reevaluate([watched(UNKNOWN, None, conditions=conditions)], knowing(0.0), now=NOW)

    assert seen.next_changes == {KEY: NOW + timedelta(minutes=1)}
