"""The quick ones of the seeded bugs are caught in every run; `make seeded-bugs` hunts them all."""

from pathlib import Path

import pytest

from tests.seeded_bugs.bugs import BUGS, Bug
from tests.seeded_bugs.hunt import PROJECT, copy_project, hunt


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("seeded bugs"))


def test_there_are_at_least_twenty_and_each_fits_the_sources() -> None:
    texts = {edit.path: (PROJECT / edit.path).read_text("utf-8") for bug in BUGS for edit in bug.edits}

    misfits = [edit.old for bug in BUGS for edit in bug.edits if texts[edit.path].count(edit.old) != 1]

    assert misfits == []
    assert len(BUGS) >= 20


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.quick], ids=lambda bug: bug.name)
def test_a_bug_put_in_on_purpose_is_caught(copy: Path, bug: Bug) -> None:
    hunted = hunt(copy, bug)

    assert hunted.caught, hunted.how
