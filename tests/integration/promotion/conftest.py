"""A migrated database, the promotion service's work on it, and time moved by hand."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.promotion.house import House


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    house = House(database)
    yield house
    await house.close()
