"""Why conditions are worth what they are: the whole tree, every blocker, the sentence, and what can be stored."""

from datetime import timedelta
from decimal import Decimal

from services.rules.domain.conditions import as_text, explain
from services.rules.domain.facts import Facts, Reason
from tests.unit.rules.building import NOW, compiled, fact, facts, leaf

PASS_RATE = leaf("tests.pass_rate", "gte", 100)
ERROR_RATE = leaf("metrics.error_rate", "lte", 0.01)
SOAK = leaf("deployment.duration_hours", "gte", 24)


def test_the_whole_tree_is_told_though_the_first_leaf_decides() -> None:
    known = facts({"metrics.error_rate": fact(0.004, age=timedelta(seconds=42), event_id="m-7")})

    told = explain(compiled({"all": [PASS_RATE, ERROR_RATE]}), known, NOW)

    assert told.to_json(rule_id="r-1", rule_version=3, deployment_id="dep-456") == {
        "result": "unknown",
        "evaluated_at": "2025-06-01T12:00:00Z",
        "rule_id": "r-1",
        "rule_version": 3,
        "deployment_id": "dep-456",
        "next_change_at": None,
        "summary": "waiting: no test result yet for tests.pass_rate",
        "blockers": ["/all/0"],
        "tree": {
            "path": "",
            "kind": "all",
            "result": "unknown",
            "children": [
                {
                    "path": "/all/0",
                    "kind": "leaf",
                    "result": "unknown",
                    "field": "tests.pass_rate",
                    "op": "gte",
                    "expected": 100,
                    "actual": None,
                    "reason": "missing",
                    "message": "no test result yet",
                },
                {
                    "path": "/all/1",
                    "kind": "leaf",
                    "result": "true",
                    "field": "metrics.error_rate",
                    "op": "lte",
                    "expected": 0.01,
                    "actual": 0.004,
                    "observed_at": "2025-06-01T11:59:18Z",
                    "age_seconds": 42,
                    "expires_at": "2025-06-01T12:59:18Z",
                    "event": {"source": "test", "id": "m-7"},
                    "next_change_at": "2025-06-01T12:59:18Z",
                },
            ],
        },
    }


def blockers_of(document: object, known: Facts) -> object:
    return explain(compiled(document), known, NOW).blockers


def test_of_an_all_every_child_that_is_not_true_is_in_the_way() -> None:
    known = facts({"metrics.error_rate": 0.5, "tests.failed": 0})

    assert blockers_of({"all": [PASS_RATE, leaf("tests.failed", "eq", 0), ERROR_RATE]}, known) == ["/all/0", "/all/2"]


def test_of_an_any_all_children_are_in_the_way_as_alternatives() -> None:
    document = {"any": [{"all": [PASS_RATE, SOAK]}, ERROR_RATE]}

    assert blockers_of(document, facts({"metrics.error_rate": 0.5})) == [
        {"any_of": [{"all_of": ["/any/0/all/0", "/any/0/all/1"]}, "/any/1"]}
    ]


def test_under_a_not_what_holds_is_in_the_way() -> None:
    document = {"not": {"any": [leaf("incidents.open", "gt", 0), leaf("custom.freeze", "eq", True)]}}

    told = explain(compiled(document), facts({"incidents.open": 2, "custom.freeze": False}), NOW)

    assert told.blockers == ["/not/any/0"]
    assert told.summary == "not met: incidents.open is 2, must not be more than 0"


def test_of_a_not_over_an_all_one_child_turning_false_would_do() -> None:
    document = {"not": {"all": [leaf("incidents.open", "gt", 0), leaf("custom.freeze", "eq", True)]}}

    assert blockers_of(document, facts({"incidents.open": 2, "custom.freeze": True})) == [
        {"any_of": ["/not/all/0", "/not/all/1"]}
    ]


def test_what_holds_has_no_blockers() -> None:
    told = explain(compiled(ERROR_RATE), facts({"metrics.error_rate": 0}), NOW)

    assert (told.blockers, told.summary) == ([], "all conditions hold")


def test_a_long_list_of_blockers_is_summed_up() -> None:
    told = explain(compiled({"all": [leaf(f"custom.f{n}", "eq", n) for n in range(9)]}), Facts(), NOW)

    assert told.summary.endswith("for custom.f2; and 6 more")
    assert len(told.blockers) == 9


def message_of(document: object, known: Facts) -> object:
    return explain(compiled(document), known, NOW).tree["message"]


def test_each_reason_is_said_in_words() -> None:
    cost = leaf("metrics.cost", "lt", {"baseline": "target_current", "percent": 5})
    held = {"tests.pass_rate": Reason.RUN_IN_PROGRESS}

    assert message_of(ERROR_RATE, Facts()) == "no value observed yet"
    assert message_of(SOAK, Facts()) == "the deployment is not active"
    assert message_of(ERROR_RATE, facts({"metrics.error_rate": None})) == "the last event gave no value (null)"
    assert message_of(ERROR_RATE, facts({"metrics.error_rate": fact(0, age=timedelta(hours=2, minutes=5))})) == (
        "last observed 2h 5m ago, and must be younger than 1h"
    )
    assert message_of(ERROR_RATE, facts({"metrics.error_rate": fact(0, age=-timedelta(hours=2))})) == (
        "observed more than 5 minutes in the future"
    )
    assert message_of(ERROR_RATE, facts({"metrics.error_rate": "low"})) == (
        '"low" is not a value of the type that the condition compares'
    )
    assert message_of(ERROR_RATE, facts({"metrics.error_rate": float("nan")})) == '"NaN" is not a finite number'
    assert message_of(PASS_RATE, facts({"tests.pass_rate": 120})) == (
        "120 is impossible: tests.pass_rate is from 0 to 100"
    )
    assert message_of(cost, facts({"metrics.cost": 1})) == (
        "no usable value of the deployment now in the target environment"
    )
    assert message_of(PASS_RATE, facts({"tests.pass_rate": 100}, states=held)) == "a newer test run is in progress"


def test_a_reference_shows_what_it_was_compared_with() -> None:
    known = facts({"metrics.cost": 1.3}, baselines={"previous": facts({"metrics.cost": 1.1})})

    tree = explain(compiled(leaf("metrics.cost", "lte", {"baseline": "previous", "percent": 10})), known, NOW).tree

    assert tree["expected"] == 1.21
    assert tree["reference"] == {"baseline": "previous", "percent": 10, "on_missing": "unknown", "value": 1.1}
    assert tree["message"] == "is 1.3, must be at most 1.21 (from the previous deployment in this environment)"


def test_hours_are_never_shown_as_reached_before_they_are() -> None:
    known = Facts(active_since=NOW - timedelta(hours=24) + timedelta(microseconds=1))

    tree = explain(compiled(SOAK), known, NOW).tree

    assert tree["actual"] == 23.999999
    assert tree["next_change_at"] == "2025-06-01T12:00:00.000001Z"


def test_a_pass_rate_just_below_the_threshold_is_not_shown_as_reached() -> None:
    almost = Decimal("99.99999999999999999999999999")

    assert explain(compiled(PASS_RATE), facts({"tests.pass_rate": almost}), NOW).tree["actual"] == str(almost)


def test_what_a_fact_holds_is_cut_and_cleaned_before_it_is_shown() -> None:
    tree = explain(compiled(leaf("custom.x", "eq", "a")), facts({"custom.x": "\x00\ud800" + "x" * 16_384}), NOW).tree

    shown = tree["actual"]
    assert isinstance(shown, str)
    assert len(shown) == 256
    assert shown.startswith("\ufffd\ufffdxxx")


def test_descriptions_travel_with_the_tree() -> None:
    document = {"description": "safe", "all": [{**PASS_RATE, "description": "all green"}]}

    tree = explain(compiled(document), Facts(), NOW).tree

    assert tree["description"] == "safe"
    assert tree["children"][0]["description"] == "all green"  # type: ignore[index]


def test_the_tree_can_be_read_on_a_terminal() -> None:
    document = {"all": [SOAK, {"not": leaf("incidents.open", "gt", 0)}]}

    text = as_text(explain(compiled(document), facts({"incidents.open": 0}, active_since=NOW), NOW))

    assert text.splitlines() == [
        "not met: deployment.duration_hours is 0, must be at least 24",
        "  false   all",
        "    false   deployment.duration_hours gte 24: is 0, must be at least 24; may change at 2025-06-02T12:00:00Z",
        "    true    not",
        "      false   incidents.open gt 0: is 0, must be more than 0",
    ]
