"""A guard that the mutants take away is in its file, once: one that was moved would be guarded by nothing."""

from pathlib import Path

import pytest

from tests.mutation.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: str(guard.name))
def test_a_guard_stands_where_it_is_taken_away(guard: Guard) -> None:
    source = (ROOT / guard.file).read_text(encoding="utf-8")

    assert source.count(guard.check) == 1
    assert all((ROOT / tests).exists() for tests in guard.tests.split())
