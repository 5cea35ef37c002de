"""Of commands that meet, one wins and everybody is told so; `make races` runs ten thousand."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from tests.integration.promotion.house import House
from tests.races.races import race
from tests.simulation.runs import quiet

ROOT = Path(__file__).parents[2]
BATCH = 50
RACES = 200


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    house = House(database)
    yield house
    await house.close()


async def test_of_racing_decisions_on_one_promotion_exactly_one_is_accepted(
    house: House,
) -> None:
    with quiet():
        for number in range(0, RACES, BATCH):
            assert await race(house, promotions=min(BATCH, RACES - number), random=Random(number)) == []

    assert await house.broken_link() is None


def test_the_runner_races_on_a_database_of_its_own_in_each_worker() -> None:
    command = [sys.executable, "-m", "tests.races", "--races", "51", "--workers", "2"]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("51 races in ")
    assert ran.stdout.endswith("double or lost decisions: 0\n")
