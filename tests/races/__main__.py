"""``python -m tests.races``: many races on a PostgreSQL of its own; a double or lost decision ends in status 1."""

import argparse
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context

from tests.fixtures.quick_postgres import migrated_databases
from tests.races.shares import Share, run_share

BATCH = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--races", type=int, default=10_000, help="how many promotions are raced for")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes, each with a database of its own")
    options = parser.parse_args()
    with migrated_databases(options.workers) as databases:
        return _run(databases, options)


def _run(databases: Sequence[str], options: argparse.Namespace) -> int:
    batches = [
        (options.first + number, min(BATCH, options.races - number)) for number in range(0, options.races, BATCH)
    ]
    shares: list[Share] = [(dsn, batches[number :: len(databases)]) for number, dsn in enumerate(databases)]
    began = time.monotonic()
    with get_context("spawn").Pool(len(databases)) as pool:
        found = [line for share in pool.imap_unordered(run_share, shares) for line in share]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(f"{options.races} races in {time.monotonic() - began:.0f} s; double or lost decisions: ")
    sys.stdout.write(f"{len(found)}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
