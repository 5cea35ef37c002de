"""The rule editor's form: fields to a body, errors to their places."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.console.forms import Form
from studio.console.views.json_lines import line_of, lines_of
from studio.console.views.rule_form import RuleForm, Unwritable, body_of, filled, placed, shown

RULE = {
    "name": "Into production", "source_environment": "staging", "target_environment": "production",
    "requires_approval": True, "required_approvers": 2, "auto_promote": False, "execution": "manual",
    "status": "shadow", "expires_after_seconds": 129600, "target_gateway_id": None,
    "conditions": {"all": [{"field": "tests.pass_rate", "op": "gte", "value": 95.5}]},
}  # fmt: skip


def test_a_rule_that_is_shown_and_sent_back_is_the_same_rule() -> None:
    assert body_of(shown(RULE)) == RULE


def test_a_form_is_read_field_by_field() -> None:
    form = filled(Form({"name": [" Night "], "auto_promote": ["1"], "conditions": ["{}"]}))

    assert (form.name, form.auto_promote, form.requires_approval, form.conditions) == ("Night", True, False, "{}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("required_approvers", "two"),
        ("required_approvers", "1.5"),
        ("expires_after_days", ""),
        ("expires_after_days", "x"),
    ],
)
def test_what_is_not_a_number_is_said_at_its_field(field: str, value: str) -> None:
    with pytest.raises(Unwritable) as refused:
        body_of(replace(shown(RULE), **{field: value}))

    assert refused.value.findings.fields == {field: f"{value!r} is not a number that can be meant"}


@pytest.mark.parametrize("days", ["nan", "inf", "1e400", "-inf"])
def test_a_number_that_is_none_never_breaks_the_page(days: str) -> None:
    with pytest.raises(Unwritable) as refused:
        body_of(replace(shown(RULE), expires_after_days=days))

    assert set(refused.value.findings.fields) == {"expires_after_days"}


@pytest.mark.parametrize(
    ("text", "line"),
    [('{\n  "all": [\n  }\n', 3), ('{"a": 1,\n "a": 2}', 1), ("[" * 100, 1), ("NaN", 1), ('{"a":\n\n tru}', 3)],
)
def test_what_is_not_json_is_said_at_its_line(text: str, line: int) -> None:
    with pytest.raises(Unwritable) as refused:
        body_of(replace(shown(RULE), conditions=text))

    assert list(refused.value.findings.lines) == [line]


def test_errors_stand_beside_the_line_or_the_field_that_they_are_about() -> None:
    form = shown(RULE)
    problem = {
        "errors": [
            {"path": "/rule/conditions/all/0/field", "message": "there is no such field", "hint": "see the list"},
            {"path": "/conditions/all/0/unit", "message": "is missing", "hint": "say percent"},
            {"path": "/rule/expires_after_seconds", "message": "is too long", "hint": "at most a year"},
            {"path": "/rule/a/b", "message": "is odd", "hint": "leave it out"},
            {"path": "header:/If-Match", "message": "is '0'", "hint": "read it again"},
        ]
    }

    found = placed(problem, form)

    assert found.lines == {4: "there is no such field; see the list", 3: "is missing; say percent"}
    assert found.fields == {"expires_after_days": "is too long; at most a year"}
    assert found.others == ["/a/b: is odd; leave it out", "header:/If-Match: is '0'; read it again"]


def test_a_problem_without_errors_is_said_as_it_is() -> None:
    assert placed({"detail": "somebody changed it"}, RuleForm()).others == ["somebody changed it"]


def test_values_stand_on_their_lines() -> None:
    text = '{\n "all": [\n  {"a/b": "x, {",\n   "c\\"d~": [1,\n 2]}, true\n ]\n}'

    assert lines_of(text) == {
        "": 1, "/all": 2, "/all/0": 3, "/all/0/a~1b": 3, '/all/0/c"d~0': 4, '/all/0/c"d~0/0': 4,
        '/all/0/c"d~0/1': 5, "/all/1": 5,
    }  # fmt: skip
    assert line_of("/all/0/missing/deeper", lines_of(text)) == 3


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab/~"\\ ,:{}[]\n', max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab/~" ,:', max_size=3), inner, max_size=4),
)


def _pointers(value: object, at: str = "") -> list[str]:
    parts: list[tuple[str, object]] = []
    if isinstance(value, dict):
        parts = [(key.replace("~", "~0").replace("/", "~1"), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        parts = [(str(index), inner) for index, inner in enumerate(value)]
    return [at, *(pointer for name, inner in parts for pointer in _pointers(inner, f"{at}/{name}"))]


@given(_JSON)
def test_every_value_of_any_json_is_found(value: object) -> None:
    text = json.dumps(value, indent=1)

    found = lines_of(text)

    assert set(found) == set(_pointers(value))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


@given(st.text())
def test_any_text_is_mapped_as_far_as_it_goes(text: str) -> None:
    assert all(line >= 1 for line in lines_of(text).values())
