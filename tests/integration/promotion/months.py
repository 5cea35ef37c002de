"""Months of the history and their owner: promotions that cross their ends, and the letting go of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from services.platform.database import Database
from services.promotion import retention, upkeep
from services.promotion.retention import Gone
from tests.integration.promotion.house import ORGANIZATION, House, completion, evaluation

JANUARY, FEBRUARY, MARCH = (date(2031, month, 1) for month in (1, 2, 3))
LATER = datetime(2031, 6, 1, tzinfo=UTC)


def day(month: int, number: int) -> datetime:
    return datetime(2031, month, number, 12, tzinfo=UTC)


@asynccontextmanager
async def owning(dsn: str) -> AsyncIterator[Database]:
    """The owner's way in, as the command has it."""
    database = Database(dsn, role=None, application_name="test detach", pool_size=1, every_organization=True)
    yield database
    await database.close()


async def let_go(dsn: str, month: date) -> Gone:
    async with owning(dsn) as database:
        return await retention.let_go(database, await retention.plan(database, month, now=LATER))


async def begin(house: House, at: datetime, organization: str = ORGANIZATION) -> UUID:
    """Let a promotion be asked for at that time, and execute."""
    house.now = at
    async with house.database.begin() as connection:
        await upkeep.make_partitions(connection, now=at)
    identifier = uuid4()
    await house.evaluate(evaluation(identifier, organization_id=organization, created_at=at, evaluated_at=at))
    return identifier


async def end(house: House, promotion: UUID, at: datetime, organization: str = ORGANIZATION) -> None:
    house.now = at
    await house.complete(completion(promotion, organization_id=organization, deployed_at=at))


async def entangled(house: House) -> tuple[UUID, UUID, UUID]:
    """One of January that ends in March, one of February that ends there, one of March.

    The chain is January's 1 to 3, February's 4 to 7, January's 8, March's 9 to 12.
    """
    january = await begin(house, day(1, 30))
    february = await begin(house, day(2, 3))
    await end(house, february, day(2, 4))
    await end(house, january, day(3, 1))
    march = await begin(house, day(3, 2))
    await end(house, march, day(3, 3))
    return january, february, march
