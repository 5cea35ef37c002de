"""Executors on this test's own database, with stand-ins for what the neighbours publish."""

from collections.abc import AsyncIterator, Callable

import pytest

from services.platform.database import Database
from tests.integration.executor.executors import Executor, MovableClock, Neighbours


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def neighbours(database: str) -> AsyncIterator[Neighbours]:
    owner = Database(database, role=None, application_name="neighbours", pool_size=2)
    neighbours = Neighbours(owner)
    await neighbours.move_in()
    yield neighbours
    await owner.close()


@pytest.fixture
async def new_executor(
    database: str, clock: MovableClock, neighbours: Neighbours
) -> AsyncIterator[Callable[[], Executor]]:
    made: list[Executor] = []

    def make() -> Executor:
        made.append(Executor(database, clock))
        return made[-1]

    yield make
    for executor in made:
        await executor.close()


@pytest.fixture
def executor(new_executor: Callable[[], Executor]) -> Executor:
    return new_executor()
