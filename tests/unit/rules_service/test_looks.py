"""Which deployments are looked at again, why, and when."""

from datetime import timedelta

import pytest

from schemas.vocabulary import RuleStatus
from services.rules.domain.looks import Cause, Recheck, put_together
from services.rules.domain.rule_book import RuleBook
from services.rules.handlers.confirm import pause_after
from services.rules.handlers.recheck import LONGEST_REST_SECONDS, rest_seconds
from tests.unit.rules_service.samples import NOW, a_rule


def test_many_reasons_make_one_look_at_every_field_that_changed() -> None:
    looks = put_together(
        [
            Recheck("acme", "dep-1", Cause.FACT, NOW, fields=frozenset({"a.b"})),
            Recheck("acme", "dep-1", Cause.FACT, NOW, fields=frozenset({"a.c"})),
            Recheck("acme", "dep-2", Cause.FACT, NOW, fields=frozenset({"a.b"})),
            Recheck("acme", "dep-2", Cause.CLOCK, NOW),
        ]
    )

    assert looks["acme", "dep-1"].fields == {"a.b", "a.c"}
    assert looks["acme", "dep-2"].fields is None
    assert looks["acme", "dep-2"].causes == {Cause.FACT, Cause.CLOCK}


def test_rest_ends_when_the_next_thing_is_due_and_never_takes_long() -> None:
    assert rest_seconds(None, NOW) == LONGEST_REST_SECONDS
    assert rest_seconds(NOW + timedelta(seconds=0.2), NOW) == pytest.approx(0.2)
    assert rest_seconds(NOW + timedelta(hours=1), NOW) == LONGEST_REST_SECONDS
    assert 0 < rest_seconds(NOW - timedelta(hours=1), NOW) < 0.1


def test_pauses_grow_to_a_minute() -> None:
    assert [pause_after(attempts).total_seconds() for attempts in (0, 1, 2, 3, 4, 99)] == [5, 10, 20, 40, 60, 60]


def test_a_fact_concerns_only_the_rules_of_the_hop_that_read_it() -> None:
    errors = a_rule("errors")
    latency = a_rule("latency", conditions={"field": "metrics.p95_latency_ms", "op": "lte", "value": 5})
    shadow = a_rule("shadow", status=RuleStatus.SHADOW, auto_promote=False)
    people = a_rule("people", auto_promote=False)
    disabled = a_rule("disabled", status=RuleStatus.DISABLED)
    ended = a_rule("ended", valid_to=NOW)
    book = RuleBook([errors, latency, shadow, people, disabled, ended])
    hop = ("development", "staging")

    acting = book.acting(hop, frozenset({"metrics.error_rate"}))

    assert {each.rule.name for each in acting} == {"errors", "shadow"}
    assert {each.rule.name for each in book.acting(hop)} == {"errors", "shadow", "latency"}
    assert book.acting(("staging", "production")) == ()
    assert book.fields == {"metrics.error_rate", "metrics.p95_latency_ms"}
