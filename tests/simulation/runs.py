"""One seed from beginning to end, and what came of it."""

import hashlib
import logging
import sys
import traceback
from asyncio import Runner
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from random import seed as seed_random

import structlog

from tests.simulation import checks
from tests.simulation.clockwork import Clock, SimulatedLoop
from tests.simulation.scheduler import Scheduler
from tests.simulation.world import Plumbing, World


@dataclass
class Report:
    """What came of one seed."""

    seed: int
    steps: int
    promotions: dict[str, int]
    happened: dict[str, int]
    violations: list[str]
    # Simulated time from the last fault until every invariant held.
    recovery_seconds: float
    trace: list[str] = field(repr=False)

    @property
    def digest(self) -> str:
        """Tell this course of things from every other."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


def simulate(dsn: str, seeds: Iterable[int], *, steps: int, clocks_jump: bool = False) -> Iterator[Report]:
    """Run each seed on the database, which is emptied for it; connections are kept from one to the next."""
    clock = Clock()
    with quiet(), Runner(loop_factory=lambda: SimulatedLoop(clock)) as runner:
        plumbing = runner.run(Plumbing.lay(dsn))
        try:
            for seed in seeds:
                clock.begin()
                yield runner.run(run_one(plumbing, clock, seed, steps=steps, clocks_jump=clocks_jump))
        finally:
            runner.run(plumbing.close())


async def run_one(plumbing: Plumbing, clock: Clock, seed: int, *, steps: int, clocks_jump: bool) -> Report:
    """Run one seed: turmoil, healing, and the checks."""
    random = Random(seed)
    # The executor's jitter comes from the module's own generator.
    seed_random(seed)
    world = World(plumbing, clock, random)
    await world.begin()
    scheduler = Scheduler(world, clocks_jump=clocks_jump)
    try:
        await scheduler.turmoil(steps)
        found = await scheduler.heal()
    except checks.Violated as violated:
        found = [str(violated)]
    except Exception:  # noqa: BLE001 - a finding, whatever it is
        found = [f"unexpected: {traceback.format_exc(limit=-6)}"]
    rows = await world.rows(
        "SELECT status || '/' || status_reason AS state, count(*) FROM promotion.promotion GROUP BY 1"
    )
    for member in world.members.values():
        await member.stop()
    counts = {row["state"]: row["count"] for row in rows}
    return Report(seed, world.steps, counts, scheduler.happened, found, scheduler.recovery.total_seconds(), world.trace)


def simulate_share(share: tuple[str, range, int, bool, bool]) -> list[Report]:
    """Run the seeds of one process: database, seeds, steps, whether clocks jump, and whether to keep the traces."""
    dsn, seeds, steps, clocks_jump, keep = share
    reports = []
    for report in simulate(dsn, seeds, steps=steps, clocks_jump=clocks_jump):
        if report.violations:
            sys.stdout.write(f"seed {report.seed}: {'; '.join(report.violations[:5])}\n")
            sys.stdout.flush()
        if len(reports) % 50 == 49:
            sys.stdout.write(f"{len(reports) + 1} of {len(seeds)} seeds\n")
            sys.stdout.flush()
        if not keep:
            report.trace.clear()
        reports.append(report)
    return reports


@contextmanager
def quiet() -> Iterator[None]:
    """Have the services log nothing: thousands of faults are told of otherwise."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
