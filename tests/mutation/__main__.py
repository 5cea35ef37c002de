"""Runs the mutants: exit 1 where a guard can be taken away without a test noticing."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutation.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
COPIED = ("schemas", "services", "studio", "tests", "docs", "bench")
SECONDS = 600


def main() -> int:
    """Run those whose name holds what is given, all by default."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("names", nargs="*", default=[""])
    wanted = parser.parse_args().names
    guards = [guard for guard in GUARDS if any(name in guard.name for name in wanted)]
    # Tests that fail as it is would hold anything.
    red = [tests for tests in dict.fromkeys(guard.tests for guard in guards) if _status(tests)]
    if red:
        raise SystemExit(f"these fail with every guard in place: {', '.join(red)}")
    survivors = [guard for guard in guards if not _noticed(guard)]
    print(f"{len(guards) - len(survivors)} of {len(guards)} guards are held by a test")
    return 1 if survivors else 0


def _noticed(guard: Guard) -> bool:
    # 1: tests failed; anything else means that they did not run.
    noticed = _status(guard.tests, guard) == 1
    print(f"{'held    ' if noticed else 'NOT HELD'} {guard.name}", flush=True)
    return noticed


def _status(tests: str, guard: Guard | None = None) -> int:
    """Give pytest's exit status for ``tests`` in a copy of the code, without ``guard``."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy(copy)
        if guard is not None:
            _take_away(copy / guard.file, guard)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", tests],
            cwd=copy, stdout=subprocess.DEVNULL, check=False, timeout=SECONDS,
        ).returncode  # fmt: skip


def _copy(to: Path) -> None:
    for name in COPIED:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to / "pyproject.toml")


def _take_away(file: Path, guard: Guard) -> None:
    code = file.read_text()
    if guard.check not in code:
        raise SystemExit(f"{guard.name}: {guard.file} has no {guard.check!r} any more; say what holds it now")
    file.write_text(code.replace(guard.check, guard.without, 1))


if __name__ == "__main__":
    raise SystemExit(main())
