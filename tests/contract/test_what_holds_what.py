"""What is said to hold a promise is there: each guard that mutants take away, and each test that the table names."""

import ast
import re
from pathlib import Path

import pytest

from tests.mutation.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text("utf-8")
# `path`, `path::function` or, for another function of the file named before it, `::function`.
NAMED = re.compile(r"`([\w./-]+\.py)?(?:::(\w+))?`")


def rows() -> dict[str, str]:
    """Give the lines of the table of invariants, by their number."""
    return {found[1]: found[0] for found in re.finditer(r"^\| (I\d+) .*$", RELIABILITY, re.MULTILINE)}


def named_in(row: str) -> list[tuple[str, str | None]]:
    """Give file and function of each test that a row names."""
    named, file = [], None
    for path, function in NAMED.findall(row):
        file = path or file
        if file is not None and (path or function):
            named.append((file, function or None))
    return named


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_once_where_it_is_said_to_stand_and_has_tests(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text("utf-8").count(guard.check) == 1, "say what holds it now"
    assert guard.without != guard.check
    assert all((ROOT / tests).exists() for tests in guard.tests.split())


def test_every_invariant_has_a_row() -> None:
    assert list(rows()) == [f"I{number}" for number in range(1, 43)]


@pytest.mark.parametrize("number", rows())
def test_a_row_names_tests_that_exist(number: str) -> None:
    named = named_in(rows()[number])

    missing = [
        (file, function)
        for file, function in named
        if not (TESTS / file).is_file() or (function is not None and function not in functions(TESTS / file))
    ]

    assert missing == []
    assert named or re.search(r"simulation|chaos|races|model|crash points", rows()[number])
