"""Desks on this test's own database."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.integration.notifications.desk import Clock, Desk
from tests.integration.notifications.receivers import Receiver, receiving

NewDesk = Callable[..., Desk]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def new_desk(database: str, clock: Clock) -> AsyncIterator[NewDesk]:
    made: list[Desk] = []

    def make(**options: object) -> Desk:
        made.append(Desk(database, clock, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for desk in made:
        await desk.close()


@pytest.fixture
def desk(new_desk: NewDesk) -> Desk:
    return new_desk()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as open_receiver:
        yield open_receiver


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with receiving() as open_receiver:
        yield open_receiver
