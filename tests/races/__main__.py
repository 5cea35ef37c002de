"""``python -m tests.races``: many races on a PostgreSQL of its own; a double or lost decision ends in status 1."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from random import Random

from services.platform.migrate import migrate
from studio.local.postgres import EmbeddedPostgres
from tests.integration.promotion.house import House
from tests.races.races import race
from tests.simulation.__main__ import QUICK
from tests.simulation.runs import quiet

BATCH = 50

# A database, and the seeds and sizes of the batches to run on it.
Share = tuple[str, Sequence[tuple[int, int]]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--races", type=int, default=10_000, help="how many promotions are raced for")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes, each with a database of its own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", settings=QUICK)
        server.start()
        try:
            return _run(server, options)
        finally:
            server.stop()


def _run(server: EmbeddedPostgres, options: argparse.Namespace) -> int:
    server.create_database("races")
    migrate(server.dsn_for("races"))
    batches = [
        (options.first + number, min(BATCH, options.races - number)) for number in range(0, options.races, BATCH)
    ]
    shares: list[Share] = []
    for number in range(options.workers):
        server.create_database(f"races_{number}", template="races")
        shares.append((server.dsn_for(f"races_{number}"), batches[number :: options.workers]))
    began = time.monotonic()
    with get_context("spawn").Pool(options.workers) as pool:
        found = [line for share in pool.imap_unordered(run_share, shares) for line in share]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(f"{options.races} races in {time.monotonic() - began:.0f} s; double or lost decisions: ")
    sys.stdout.write(f"{len(found)}\n")
    return 1 if found else 0


def run_share(share: Share) -> list[str]:
    """Run one worker's batches; give every double or lost decision, and a broken history."""
    return asyncio.run(_race(*share))


async def _race(dsn: str, batches: Sequence[tuple[int, int]]) -> list[str]:
    house = House(dsn)
    try:
        with quiet():
            found = [line for seed, size in batches for line in await race(house, promotions=size, random=Random(seed))]
        link = await house.broken_link()
        return found if link is None else [*found, f"the history's chain breaks at {link}"]
    finally:
        await house.close()


if __name__ == "__main__":
    sys.exit(main())
