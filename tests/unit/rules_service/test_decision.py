"""What the rules of a hop ask together: the strictest wins in every respect."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vocabulary import ConditionsResult, Execution, RuleStatus
from services.rules.domain.decision import combined, decide
from services.rules.domain.rule import rules_of_hop
from services.rules.domain.verdict import Verdict
from tests.unit.rules_service.samples import NOW, a_rule

HOP = ("development", "staging")
NONE, TRUE, FALSE, UNKNOWN = (
    ConditionsResult.NONE,
    ConditionsResult.TRUE,
    ConditionsResult.FALSE,
    ConditionsResult.UNKNOWN,
)


def verdict(result: ConditionsResult = NONE, *, change_in_hours: int | None = None, **rule: object) -> Verdict:
    change = None if change_in_hours is None else NOW + timedelta(hours=change_in_hours)
    return Verdict(a_rule(**rule), result, change, f"is {result}", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hop", "approval"),
    [(HOP, False), (("staging", "production"), True), (("development", "qa"), True), (("staging", "staging2"), True)],
)
def test_without_a_rule_only_development_to_staging_is_free(hop: tuple[str, str], approval: bool) -> None:
    decision = decide(hop, [])

    assert (decision.requires_approval, decision.required_approvers) == (approval, 1)
    assert decision.conditions is NONE


def test_the_strictest_wins_in_every_respect() -> None:
    decision = decide(
        HOP,
        [
            verdict(requires_approval=True, required_approvers=2, expires_after_seconds=7200),
            verdict(requires_approval=False, required_approvers=4, expires_after_seconds=60),
            verdict(execution=Execution.MANUAL),
        ],
    )

    assert (decision.requires_approval, decision.required_approvers) == (True, 4)
    assert (decision.execution, decision.expires_after_seconds) == (Execution.MANUAL, 60)


def test_where_no_rule_needs_approval_one_override_is_enough() -> None:
    decision = decide(HOP, [verdict(UNKNOWN, requires_approval=False, required_approvers=5)])

    assert (decision.requires_approval, decision.required_approvers) == (False, 1)


@pytest.mark.parametrize(
    ("results", "together"),
    [
        ([], NONE),
        ([NONE, NONE], NONE),
        ([NONE, TRUE], TRUE),
        ([TRUE, UNKNOWN, NONE], UNKNOWN),
        ([TRUE, UNKNOWN, FALSE], FALSE),
    ],
)
def test_conditions_have_to_hold_in_every_rule(results: list[ConditionsResult], together: ConditionsResult) -> None:
    assert combined(results) is together


def test_true_conditions_hold_until_the_first_of_them_may_change() -> None:
    decision = decide(HOP, [verdict(TRUE, change_in_hours=3), verdict(TRUE, change_in_hours=2), verdict(NONE)])

    assert decision.holds_until == NOW + timedelta(hours=2)


def test_conditions_that_do_not_hold_promise_nothing_but_are_looked_at_again() -> None:
    decision = decide(HOP, [verdict(UNKNOWN, change_in_hours=3)])

    assert (decision.holds_until, decision.next_change_at) == (None, NOW + timedelta(hours=3))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=1, max_size=6), st.integers(0, 5))
def test_adding_a_rule_never_makes_a_hop_laxer(rules: list[tuple[bool, int]], added: int) -> None:
    verdicts = [verdict(requires_approval=approval, required_approvers=count) for approval, count in rules]
    place = added % len(verdicts)
    fewer = verdicts[:place] + verdicts[place + 1 :]
    if not fewer:
        return

    before, after = decide(HOP, fewer), decide(HOP, verdicts)

    assert after.requires_approval >= before.requires_approval
    assert after.required_approvers >= before.required_approvers


def test_only_the_versions_in_force_at_that_instant_apply() -> None:
    ended = a_rule("ended", valid_to=NOW)
    begun = a_rule("begun", valid_from=NOW)
    later = a_rule("later", valid_from=NOW + timedelta(microseconds=1))
    shadow = a_rule("shadow", status=RuleStatus.SHADOW)
    other = a_rule("other", target_environment="production")

    found = rules_of_hop([ended, begun, later, shadow, other], source="development", target="staging", at=NOW)

    assert [rule.name for rule in found] == ["begun"]
