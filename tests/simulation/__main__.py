"""``python -m tests.simulation --seeds 1000``: many seeds on a PostgreSQL of its own; a violation ends in status 1."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing import get_context

from tests.fixtures.quick_postgres import migrated_databases
from tests.simulation.runs import Report, simulate_share


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=150, help="steps of turmoil of each seed")
    parser.add_argument("--workers", type=int, default=2, help="processes, each with a database of its own")
    parser.add_argument("--clocks-jump", action="store_true", help="set the wall clock back and forth as well")
    parser.add_argument("--trace", action="store_true", help="print what happened in each seed")
    options = parser.parse_args()
    with migrated_databases(options.workers) as databases:
        return _run(databases, options)


def _run(databases: Sequence[str], options: argparse.Namespace) -> int:
    seeds = range(options.first, options.first + options.seeds)
    shares = [
        (dsn, seeds[number :: len(databases)], options.steps, options.clocks_jump, options.trace)
        for number, dsn in enumerate(databases)
    ]
    began = time.monotonic()
    with get_context("spawn").Pool(len(databases)) as pool:
        reports = [report for share in pool.imap_unordered(simulate_share, shares) for report in share]
    return _tell(reports, time.monotonic() - began, options)


def _tell(reports: list[Report], seconds: float, options: argparse.Namespace) -> int:
    states, happened = Counter[str](), Counter[str]()
    for report in sorted(reports, key=lambda report: report.seed):
        states.update(report.promotions)
        happened.update(report.happened)
        if options.trace:
            sys.stdout.write("\n".join([f"seed {report.seed}", *report.trace, *report.violations, ""]))
    steps = sum(report.steps for report in reports)
    recovery = sorted(report.recovery_seconds for report in reports)
    bad = [report for report in reports if report.violations]
    sys.stdout.write(
        f"{len(reports)} seeds, {steps} steps, {sum(states.values())} promotions in {seconds:.0f} s "
        f"({steps / seconds:.0f} steps/s): {len(bad)} with violations\n"
        f"recovery in simulated seconds: median {recovery[len(recovery) // 2]:.1f}, "
        f"p99 {recovery[len(recovery) * 99 // 100]:.1f}, most {recovery[-1]:.1f}\n"
        f"promotions: {dict(states.most_common())}\nwhat happened: {dict(happened.most_common())}\n"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
