"""Files of cases: how people test their own rules."""

import json
from pathlib import Path

import pytest

from services.rules.case_files import UnreadableCaseFile, read_case_file, run_case_file
from services.rules.domain.conditions import run_case
from tests.unit.rules.building import leaf

PASSING = {
    "name": "green",
    "conditions": leaf("tests.failed", "eq", 0),
    "facts": {"tests": {"failed": 0}},
    "expected": True,
}


def test_a_case_that_fails_says_what_was_expected_and_why_it_is_not_so() -> None:
    result = run_case({**PASSING, "facts": {"tests": {"failed": 3}}, "reasons": ["missing"]})

    assert result.problems == (
        "expected true, is false (not met: tests.failed is 3, must be 0)",
        "expected the reasons ['missing'], the explanation shows []",
    )
    assert result.to_json()["explanation"]["tree"]["actual"] == 3  # type: ignore[index]


def test_a_case_whose_conditions_are_refused_carries_every_error() -> None:
    result = run_case({**PASSING, "conditions": leaf("tests.faild", "eq", "0")})

    assert not result.passed
    assert [error.code for error in result.errors] == ["unknown_field"]
    assert "refused" in result.problems[0]


def test_a_case_that_expects_a_refusal_names_the_code_that_it_expects() -> None:
    case = {"conditions": {"all": []}, "expected": "invalid", "error_codes": ["empty_list"]}

    assert run_case(case, 4).problems == ("expected one of the errors empty_list; found empty_group",)
    assert run_case({**case, "error_codes": ["empty_group"]}).passed
    assert not run_case({**case, "conditions": PASSING["conditions"]}).passed


def test_the_next_change_is_compared_too() -> None:
    soak = {
        "conditions": leaf("deployment.duration_hours", "gte", 24),
        "now": "2025-01-01T12:00:00Z",
        "active_since": "2025-01-01T00:00:00Z",
        "expected": False,
        "next_change_at": "2025-01-02T00:00:00Z",
    }

    assert run_case(soak).passed
    assert run_case({**soak, "next_change_at": None}).problems == (
        "expected the next change at no instant, it is at 2025-01-02T00:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (7, "is 7; a case is an object"),
        ({**PASSING, "expect": True}, "has unknown keys: expect"),
        ({**PASSING, "expected": "yes"}, 'expects "yes"'),
        ({"expected": True, "facts": {}}, "has no conditions"),
        ({**PASSING, "facts": []}, "facts is []; it takes an object"),
        ({**PASSING, "now": "noon"}, 'now is "noon"; write it as'),
        ({**PASSING, "now": 12}, "now is 12; write it as"),
        ({**PASSING, "special": {"custom.x": "nan"}}, 'special sets custom.x to "nan"'),
    ],
)
def test_a_case_that_cannot_be_understood_fails_with_a_sentence(case: object, problem: str) -> None:
    result = run_case(case)

    assert len(result.problems) == 1
    assert result.problems[0].startswith(problem)


def test_the_same_cases_can_be_written_in_json_and_in_yaml(tmp_path: Path) -> None:
    as_json, as_yaml = tmp_path / "cases.json", tmp_path / "cases.yaml"
    as_json.write_text(json.dumps([PASSING, {**PASSING, "name": "red", "expected": False}]))
    as_yaml.write_text(
        "cases:\n"
        "  - name: green\n"
        "    conditions: {field: tests.failed, op: eq, value: 0}\n"
        "    facts: {tests: {failed: 0}}\n"
        "    now: 2025-01-01T00:00:00Z\n"
        "    expected: true\n"
        "  - name: red\n"
        "    conditions: {field: tests.failed, op: eq, value: 0}\n"
        "    facts: {tests: {failed: 0}}\n"
        "    expected: false\n"
    )

    reports = [run_case_file(as_json), run_case_file(as_yaml)]

    assert [[failure.name for failure in report.failures] for report in reports] == [["red"], ["red"]]
    assert reports[0].to_json()["failed"] == 1


def test_numbers_in_a_json_file_stay_exact(tmp_path: Path) -> None:
    path = tmp_path / "exact.json"
    path.write_text(
        '{"conditions":{"field":"custom.x","op":"lt","value":0.3},'
        '"facts":{"custom":{"x":0.29999999999999999999}},"expected":true}'
    )

    assert run_case_file(path).failures == ()


@pytest.mark.parametrize(
    ("name", "content", "trouble"),
    [
        ("a.json", "[", "cannot be read as JSON"),
        ("a.json", '[{"expected":true,"expected":false}]', "appears more than once"),
        ("a.json", "[]", "holds no cases"),
        ("a.yaml", "", "holds no cases"),
        ("a.yaml", "- expected: true\n  expected: false\n", "appears more than once"),
        ("a.yaml", "{", "cannot be read as YAML"),
        ("a.yaml", "- !!python/object/apply:os.system [id]", "cannot be read as YAML"),
        ("a.yaml", "[" * 5_000, "nested too deep"),
        ("a.yaml", "? [a, b]\n: 1", "cannot be read as YAML"),
    ],
)
def test_a_file_that_holds_no_cases_is_named_with_the_trouble(
    tmp_path: Path, name: str, content: str, trouble: str
) -> None:
    path = tmp_path / name
    path.write_text(content)

    with pytest.raises(UnreadableCaseFile, match=trouble) as refused:
        read_case_file(path)

    assert str(path) in str(refused.value)
