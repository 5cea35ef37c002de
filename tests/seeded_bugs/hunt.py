"""Puts one bug at a time into a copy of the project, and runs the tests that have to catch it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.seeded_bugs.bugs import Bug

PROJECT = Path(__file__).parents[2]
PARTS = ("schemas", "services", "studio", "tests", "docs", "pyproject.toml")
# Of a bug that is not caught within so long, nothing is known.
SECONDS = 900


class OutOfDate(Exception):
    """The text that a bug replaces does not stand where it says."""


@dataclass(frozen=True, slots=True)
class Hunted:
    """What became of one bug; ``how`` is the first test that failed, or why none did."""

    bug: Bug
    caught: bool
    how: str


def copy_project(folder: Path) -> Path:
    """Make a copy to put bugs into."""
    copy = folder / "project"
    copy.mkdir()
    for part in PARTS:
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        else:
            shutil.copy(source, copy / part)
    return copy


def hunt(copy: Path, bug: Bug) -> Hunted:
    """Put ``bug`` into ``copy``, try to catch it, take it out again, and see that nothing is caught without it."""
    originals = {edit.path: (copy / edit.path).read_text("utf-8") for edit in bug.edits}
    try:
        for edit in bug.edits:
            text = (copy / edit.path).read_text("utf-8")
            if text.count(edit.old) != 1:
                raise OutOfDate(f"{bug.name}: {edit.old[:60]!r} stands {text.count(edit.old)} times in {edit.path}")
            (copy / edit.path).write_text(text.replace(edit.old, edit.new), "utf-8")
        failed, how = _first_failure(copy, bug.caught_by)
    finally:
        for path, text in originals.items():
            (copy / path).write_text(text, "utf-8")
    if failed is None:
        return Hunted(bug, caught=False, how=how)
    without, _ = _first_failure(copy, [failed])
    if without is not None:
        return Hunted(bug, caught=False, how=f"{failed} fails without the bug as well")
    return Hunted(bug, caught=True, how=failed)


def _first_failure(copy: Path, choices: Sequence[str]) -> tuple[str | None, str]:
    """Run tests until one fails; give it, or None and why."""
    how = ""
    for tests in choices:
        try:
            result = _run(copy, tests)
        except subprocess.TimeoutExpired:
            how = f"{tests} did not end"
            continue
        told = [line for line in result.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        if result.returncode == 1 and told:
            return told[0].split(" ", 1)[1].split(" - ")[0], ""
        how = f"{tests} ended with {result.returncode}: {(result.stdout or result.stderr)[-200:]}"
    return None, how


def _run(copy: Path, tests: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", tests,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
