"""The page about conditions says what is true: its examples compile, and its cases pass."""

import json
import re
from pathlib import Path

import pytest

from services.rules.case_files import run_case_file
from services.rules.domain.conditions import Code, compile_conditions
from services.rules.domain.facts import FIELDS, Reason

PAGE = (Path(__file__).parents[3] / "docs" / "conditions.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", blocks("json"))
def test_every_example_is_accepted(example: str) -> None:
    assert compile_conditions(json.loads(example)).leaves


def test_the_example_cases_pass(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(blocks("yaml")[0], encoding="utf-8")

    report = run_case_file(path)

    assert len(report.results) == 4
    assert report.failures == ()


def test_every_reason_and_every_field_is_on_the_page() -> None:
    words = [(path, "." + path.rpartition(".")[2]) for path in FIELDS] + [(reason, reason) for reason in Reason]

    assert [full for full, short in words if f"`{full}`" not in PAGE and f"`{short}`" not in PAGE] == []


def test_the_codes_that_the_page_shows_exist() -> None:
    shown = re.findall(r"^/\S+\s+([a-z_]+)", PAGE, re.MULTILINE)

    assert len(shown) == 3
    assert set(shown) <= {str(code) for code in Code}
