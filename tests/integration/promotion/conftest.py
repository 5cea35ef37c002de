"""A migrated database, the promotion service's work on it, and time moved by hand."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.promotion.api import Api, announce, register, serve
from tests.integration.promotion.house import House


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    house = House(database)
    yield house
    await house.close()


@pytest.fixture
async def api(house: House) -> AsyncIterator[Api]:
    """The API, with gateways in every environment and ``dep-1`` of ``agent-1`` active in development."""
    for environment in ("development", "staging", "production"):
        await register(house, f"gw-{environment}", environment)
    await announce(house, "dep-1")
    async with serve(house) as served:
        yield served
