"""What is refused when a rule is written: every code, every error at once, each at its place."""

import pytest

from services.rules.domain.conditions import Code, InvalidConditions, compile_conditions, compile_for_rule, compile_text
from tests.unit.rules.building import errors_of, leaf

OK = leaf("tests.failed", "eq", 0)


def nested(levels: int) -> dict[str, object]:
    node: dict[str, object] = OK
    for _ in range(levels - 1):
        node = {"not": node}
    return node


def limit(**reference: object) -> dict[str, object]:
    return leaf("metrics.p95_latency_ms", "lte", {"baseline": "target_current", **reference})


REFUSED = [
    ("invalid_json", '{"all":[', ""),
    ("invalid_json", b"\xff{}", ""),
    ("invalid_json", '{"field":"custom.x","op":"gt","value":NaN}', ""),
    ("invalid_json", leaf("custom.x", "gt", float("nan")), "/value"),
    ("invalid_json", leaf("custom.x", "eq", "a\x00b"), "/value"),
    ("invalid_json", '{"field":"custom.x","op":"eq","value":"\\ud800"}', "/value"),
    ("duplicate_key", '{"not":{"field":"custom.x","op":"eq","op":"ne","value":1}}', "/not/op"),
    ("expected_object", [], ""),
    ("expected_object", {"all": [OK, 7]}, "/all/1"),
    ("expected_array", {"any": OK}, "/any"),
    ("empty_node", {}, ""),
    ("empty_node", {"not": {"description": "nothing"}}, "/not"),
    ("empty_group", {"all": [{"any": []}]}, "/all/0/any"),
    ("ambiguous_node", {"all": [OK], "any": [OK]}, ""),
    ("ambiguous_node", {"not": OK, "op": "eq"}, ""),
    ("unknown_key", {**OK, "valeu": 1}, "/valeu"),
    ("unknown_key", {**OK, "window": "5m"}, "/window"),
    ("unknown_key", limit(percnt=5), "/value/percnt"),
    ("unknown_key", {**OK, "a/b~c": 1}, "/a~1b~0c"),
    ("missing_field", {"op": "eq", "value": 1}, ""),
    ("missing_op", {"field": "tests.failed", "value": 1}, ""),
    ("missing_value", {"field": "tests.failed", "op": "eq"}, ""),
    ("invalid_field", leaf("tests", "eq", 1), "/field"),
    ("invalid_field", leaf("custom.Upper", "eq", 1), "/field"),
    ("invalid_field", leaf("custom.a.b.c.d.e.f.g.h", "eq", 1), "/field"),
    ("invalid_field", leaf("custom." + "x" * 122, "eq", 1), "/field"),
    ("invalid_field", leaf("custom.x\n", "eq", 1), "/field"),
    ("invalid_field", {"field": 7, "op": "eq", "value": 1}, "/field"),
    ("unknown_field", leaf("tests.pass_rat", "gte", 100), "/field"),
    ("unknown_field", leaf("weather.rain", "eq", 0), "/field"),
    ("unknown_op", leaf("tests.failed", "EQ", 0), "/op"),
    ("unknown_op", leaf("tests.failed", "count_of", 0), "/op"),
    ("unknown_op", leaf("tests.failed", "eq", 0) | {"op": None}, "/op"),
    ("op_not_allowed_for_field", leaf("tests.outcome", "gt", 1), "/op"),
    ("op_not_allowed_for_field", leaf("metrics.error_rate", "contains", 1), "/op"),
    ("op_not_allowed_for_field", leaf("tests.passed_suites", "eq", "smoke"), "/op"),
    ("value_type_mismatch", leaf("tests.failed", "eq", "0"), "/value"),
    ("value_type_mismatch", leaf("tests.failed", "exists", "yes"), "/value"),
    ("value_type_mismatch", leaf("deployment.version", "eq", 1), "/value"),
    ("value_type_mismatch", leaf("custom.x", "between", [1]), "/value"),
    ("value_type_mismatch", leaf("custom.x", "in", "abc"), "/value"),
    ("value_type_mismatch", leaf("custom.x", "in", ["a", None]), "/value/1"),
    ("value_type_mismatch", {**OK, "description": 7}, "/description"),
    ("value_type_mismatch", {**OK, "unit": 7}, "/unit"),
    ("mixed_types", leaf("custom.x", "in", [1, "1"]), "/value"),
    ("mixed_types", leaf("custom.x", "in", [1, True]), "/value"),
    ("empty_list", leaf("custom.x", "not_in", []), "/value"),
    ("empty_range", leaf("custom.x", "between", [2, 1]), "/value"),
    ("value_out_of_range", leaf("tests.pass_rate", "gte", 101), "/value"),
    ("value_out_of_range", leaf("tests.failed", "lt", -1), "/value"),
    ("value_out_of_range", leaf("deployment.duration_hours", "gte", -1), "/value"),
    ("value_out_of_range", leaf("tests.pass_rate", "between", [50, 100.5]), "/value/1"),
    ("value_not_in_enum", leaf("tests.outcome", "in", ["success", "passed"]), "/value/1"),
    ("number_out_of_range", leaf("custom.x", "gt", 2**53), "/value"),
    ("number_out_of_range", leaf("custom.x", "gt", float("inf")), "/value"),
    ("number_out_of_range", '{"field":"custom.x","op":"gt","value":1e400}', "/value"),
    ("number_out_of_range", '{"field":"custom.x","op":"gt","value":1e99999999999999999999}', "/value"),
    ("number_out_of_range", '{"field":"custom.x","op":"gt","value":' + "9" * 5000 + "}", "/value"),
    ("number_out_of_range", '{"field":"custom.x","op":"gt","value":1e-401}', "/value"),
    ("suspicious_scale", leaf("tests.pass_rate", "gte", 0.95), "/value"),
    ("suspicious_scale", leaf("tests.pass_rate", "gte", 1), "/value"),
    ("unit_mismatch", leaf("metrics.error_rate", "lte", 0.5, unit="percent"), "/unit"),
    ("unit_mismatch", leaf("tests.outcome", "eq", "success", unit="percent"), "/unit"),
    ("vacuous_condition", leaf("metrics.error_rate", "lte", 1), ""),
    ("invalid_max_age", {**OK, "max_age": "0s"}, "/max_age"),
    ("invalid_max_age", {**OK, "max_age": 60}, "/max_age"),
    ("invalid_max_age", {**OK, "max_age": "1234567s"}, "/max_age"),
    ("max_age_out_of_range", {**OK, "max_age": "2161h"}, "/max_age"),
    ("max_age_not_allowed", leaf("deployment.duration_hours", "gte", 1, max_age="1h"), "/max_age"),
    ("invalid_baseline", leaf("metrics.cost", "lt", {}), "/value"),
    ("invalid_baseline", leaf("metrics.cost", "lt", {"baseline": "target_curent"}), "/value/baseline"),
    ("invalid_baseline", leaf("metrics.cost", "lt", {"baseline": ["previous"]}), "/value/baseline"),
    ("invalid_baseline", limit(percent="10"), "/value/percent"),
    ("baseline_not_allowed", leaf("metrics.cost", "between", {"baseline": "previous"}), "/value"),
    ("baseline_not_allowed", leaf("metrics.cost", "exists", {"baseline": "previous"}), "/value"),
    ("baseline_not_allowed", leaf("deployment.duration_hours", "gt", {"baseline": "previous"}), "/value"),
    ("baseline_not_allowed", leaf("deployment.version", "ne", {"baseline": "previous", "delta": 1}), "/value"),
    ("conflicting_keys", limit(percent=5, delta=1), "/value"),
    ("invalid_on_missing", limit(on_missing="true"), "/value/on_missing"),
    ("too_deep", nested(9), "/not" * 8),
    ("too_many_nodes", {"all": [{"all": [OK] * 50}, {"all": [OK] * 48}]}, "/all/1/all/47"),
    ("too_many_children", {"any": [OK] * 51}, "/any"),
    ("list_too_long", leaf("custom.x", "in", list(range(101))), "/value"),
    ("string_too_long", leaf("custom.x", "eq", "a" * 257), "/value"),
    ("string_too_long", {**OK, "description": "a" * 257}, "/description"),
    ("document_too_large", leaf("custom.x", "eq", "a" * 17_000), ""),
    ("document_too_large", '{"field":"custom.x","op":"eq","value":1' + " " * 17_000 + "}", ""),
]


@pytest.mark.parametrize(("code", "document", "path"), REFUSED)
def test_a_malformed_document_is_refused_with_its_code_at_its_place(code: str, document: object, path: str) -> None:
    assert errors_of(document) == [(path, code)]


def test_every_code_of_the_language_has_a_case_above() -> None:
    covered = {code for code, _, _ in REFUSED} | {"auto_promote_requires_conditions"}

    assert covered == {str(code) for code in Code}


def test_everything_that_is_wrong_is_said_at_once() -> None:
    document = {
        "all": [
            leaf("tests.pass_rat", "=>", "a" * 300),
            {"any": []},
            {"not": leaf("metrics.error_rate", "lte", 7, max_age="soon", unit="%")},
            {"al": []},
        ]
    }

    assert errors_of(document) == [
        ("/all/0/field", "unknown_field"),
        ("/all/0/op", "unknown_op"),
        ("/all/1/any", "empty_group"),
        ("/all/2/not/unit", "unit_mismatch"),
        ("/all/2/not/max_age", "invalid_max_age"),
        ("/all/2/not/value", "value_out_of_range"),
        ("/all/3/al", "unknown_key"),
        ("/all/3", "empty_node"),
    ]


def test_an_unknown_field_does_not_hide_what_is_wrong_with_the_value() -> None:
    assert errors_of(leaf("tests.pas_rate", "gte", True)) == [
        ("/field", "unknown_field"),
        ("/value", "value_type_mismatch"),
    ]


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        (leaf("tests.pass_rat", "gte", 100), "did you mean tests.pass_rate?"),
        (leaf("test.failed", "eq", 0), "did you mean tests.failed?"),
        (leaf("tests.failed", ">=", 1), "write gte"),
        (leaf("tests.failed", "Gte", 1), "write gte; operators are spelt in lower case"),
        (leaf("tests.failed", "window", 1), "the word is reserved for a later version of the language"),
        ({"fields": "x"}, "did you mean field?"),
        (leaf("tests.pass_rate", "gte", 0.95), 'write 95, or add "unit": "percent" if you do mean 0.95 percent'),
        (limit(baseline="prevous"), "did you mean previous?"),
    ],
)
def test_a_hint_says_what_to_write_instead(document: object, hint: str) -> None:
    with pytest.raises(InvalidConditions) as refused:
        compile_conditions(document)

    assert refused.value.errors[0].hint == hint


@pytest.mark.parametrize(
    "document",
    [
        leaf("metrics.error_rate", "gte", 0),
        leaf("tests.failed", "lt", 0),
        leaf("tests.failed", "lt", 0.5) | {"op": "between", "value": [0.2, 0.8]},
        leaf("tests.failed", "eq", 1.5),
        leaf("tests.failed", "ne", 1.5),
        leaf("tests.failed", "gt", -0.0) | {"op": "gte"},
        leaf("tests.pass_rate", "gt", 100),
        leaf("tests.pass_rate", "between", [0, 100]),
        leaf("tests.outcome", "in", ["success", "failure", "error", "cancel"]),
        leaf("tests.outcome", "not_in", ["success", "failure", "error", "cancel"]),
        leaf("deployment.duration_hours", "gte", 0),
    ],
)
def test_a_condition_whose_answer_never_changes_is_refused(document: object) -> None:
    assert ("", "vacuous_condition") in errors_of(document)


@pytest.mark.parametrize(
    "document",
    [
        leaf("tests.failed", "gt", 0),
        leaf("tests.failed", "lte", 0),
        leaf("tests.failed", "lt", 0.5),
        leaf("tests.pass_rate", "gte", 100),
        leaf("tests.pass_rate", "lte", 0),
        leaf("tests.pass_rate", "gte", 0.5, unit="percent"),
        leaf("metrics.error_rate", "gte", 1),
        leaf("metrics.cost_usd", "lt", -5, unit="usd"),
        leaf("tests.outcome", "ne", "success"),
        leaf("metrics.error_rate", "lte", 0.01, max_age="90d"),
        leaf("custom.x", "in", list(range(100))),
        leaf("custom.x", "eq", "a" * 256),
        leaf("custom.x", "gt", 2**53 - 1),
        leaf("custom.x", "gt", 1e-300),
        nested(8),
        {"all": [{"all": [OK] * 49}, {"all": [OK] * 48}]},
        {"any": [OK] * 50},
        limit(percent=-10, on_missing="unknown"),
        leaf("custom.flag", "eq", {"baseline": "previous"}),
    ],
)
def test_what_lies_just_within_the_limits_is_accepted(document: object) -> None:
    assert errors_of(document) == []


@pytest.mark.parametrize("opening", ['{"not":', "[", '{"all":['])
def test_absurd_nesting_is_refused_without_recursion(opening: str) -> None:
    text = opening * 100_000

    assert ("", "too_deep") in errors_of(text)


def test_a_parsed_document_nested_a_hundred_thousand_deep_is_refused() -> None:
    assert ("", "too_deep") in errors_of(nested(100_000))


def test_a_document_that_contains_itself_is_refused() -> None:
    children: list[object] = [OK]
    children.append({"all": children})

    assert ("", "too_deep") in errors_of({"all": children})


def test_a_document_that_grows_beyond_measure_when_it_is_written_out_is_refused_at_once() -> None:
    node: dict[str, object] = OK
    for _ in range(30):
        node = {"all": [node] * 50}

    assert ("", "document_too_large") in errors_of(node)


def test_brackets_inside_strings_are_not_nesting() -> None:
    assert errors_of('{"field":"custom.x","op":"eq","value":"' + "[" * 200 + '"}') == []


def test_a_rule_that_promotes_by_itself_needs_conditions() -> None:
    for none in (None, {}):
        with pytest.raises(InvalidConditions) as refused:
            compile_for_rule(none, auto_promote=True)
        assert [error.code for error in refused.value.errors] == [Code.AUTO_PROMOTE_REQUIRES_CONDITIONS]


def test_a_rule_that_waits_for_people_may_have_no_conditions() -> None:
    assert compile_for_rule(None, auto_promote=False) is None
    assert compile_for_rule(OK, auto_promote=False) is not None


def test_an_error_can_be_moved_to_where_the_conditions_stand_in_the_rule() -> None:
    with pytest.raises(InvalidConditions) as refused:
        compile_conditions({"all": []})

    moved = refused.value.errors[0].under("/conditions").to_json()

    assert moved == {
        "path": "/conditions/all",
        "code": "empty_group",
        "message": "all of nothing",
        "hint": "add a condition; an empty list never holds",
    }


def test_errors_can_always_be_sent_and_stored_whatever_the_document_held() -> None:
    nasty = {"\ud800\x00": 1, "field": "\ud800" * 9_000, "op": "\x00", "value": ["\udfff", 10**400]}

    with pytest.raises(InvalidConditions) as refused:
        compile_conditions(nasty)

    for error in refused.value.errors:
        for text in error.to_json().values():
            assert "\x00" not in text
            assert len(text.encode("utf-8")) < 1_000


def test_compiled_conditions_say_what_they_read() -> None:
    compiled = compile_conditions(
        {"all": [limit(), leaf("deployment.duration_hours", "gte", 24), {"not": leaf("custom.freeze", "eq", True)}]}
    )

    assert compiled.fields == {"metrics.p95_latency_ms", "deployment.duration_hours", "custom.freeze"}
    assert compiled.baselines == {"target_current"}
    assert compiled.reads_clock
    assert compiled.language_version == 1


def test_numbers_are_normalised_when_they_are_compiled() -> None:
    written = '{"field":"tests.pass_rate","op":"gte","value":%s}'

    assert compile_text(written % "100") == compile_text(written % "100.00") == compile_text(written % "1e2")
