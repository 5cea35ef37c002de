"""One worker's races, on a database of its own; what a worker is given it has to find by this module's name."""

import asyncio
from collections.abc import Sequence
from random import Random

from tests.integration.promotion.house import House
from tests.races.races import race
from tests.simulation.runs import quiet

# A database, and the seeds and sizes of the batches to run on it.
Share = tuple[str, Sequence[tuple[int, int]]]


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
