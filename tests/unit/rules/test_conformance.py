"""Every conformance case: value, reasons, error codes and next change, and the explanation with them."""

import json
from pathlib import Path

import pytest

from services.rules.domain.conditions import run_case

CASES = json.loads((Path(__file__).parents[2] / "conformance" / "conditions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_the_language_answers_the_conformance_case_as_it_says(case: dict[str, object]) -> None:
    result = run_case(case)

    assert result.problems == ()


def test_all_conformance_cases_are_there() -> None:
    assert len(CASES) == 672
