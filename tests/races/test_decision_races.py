"""Of commands that meet, one wins and everybody is told so; `make races` runs ten thousand."""

from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.integration.promotion.house import House
from tests.races.races import race
from tests.simulation.runs import quiet

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
