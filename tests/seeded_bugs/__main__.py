"""``python -m tests.seeded_bugs [WORD ...]``: hunts every bug, or those whose names hold a word; 1 if any escaped."""

import sys
import tempfile
import time
from pathlib import Path

from tests.seeded_bugs.bugs import BUGS
from tests.seeded_bugs.hunt import OutOfDate, copy_project, hunt


def main(words: list[str]) -> int:
    chosen = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    escaped = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_project(Path(folder))
        for bug in chosen:
            began = time.monotonic()
            try:
                hunted = hunt(copy, bug)
                caught, how = hunted.caught, hunted.how
            except OutOfDate as error:
                caught, how = False, str(error)
            escaped += not caught
            seconds = time.monotonic() - began
            sys.stdout.write(f"{'caught ' if caught else 'ESCAPED'} {seconds:4.0f} s  {bug.name}\n          {how}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - escaped} of {len(chosen)} caught\n")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
