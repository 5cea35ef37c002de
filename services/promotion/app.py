"""Puts the promotion service together from its parts."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.platform.clock import Clock, utc_now
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.platform.schema_state import role_of
from services.platform.service import Loop, Service
from services.platform.settings import Settings
from services.promotion import statistics, upkeep
from services.promotion.consumer import subscriptions
from services.promotion.work import Work

SCHEMA = "promotion"
LOOK_SECONDS = 2.0
HOUSEKEEPING_SECONDS = 3600.0
COUNTING_SECONDS = 15.0


def build_service(settings: Settings, clock: Clock = utc_now) -> Service:
    """Build the service; nothing is connected until it runs."""
    database = Database(
        settings.database_url.get_secret_value(),
        role=role_of(SCHEMA),
        application_name=f"promotion-{SCHEMA}",
        pool_size=settings.database_pool_size,
        every_organization=True,
    )
    outbox = Outbox(SCHEMA)
    redrive_after = timedelta(seconds=settings.redrive_after_seconds)
    return Service(
        SCHEMA,
        settings=settings,
        subscriptions=subscriptions(outbox, redrive_after=redrive_after),
        loops=loops(database, outbox, clock=clock, redrive_after=redrive_after),
        database=database,
        outbox=outbox,
        clock=clock,
    )


def loops(database: Database, outbox: Outbox, *, clock: Clock, redrive_after: timedelta) -> list[Loop]:
    """List what the service does by itself."""

    async def redrive() -> int:
        async with database.begin() as connection:
            return await upkeep.redrive(connection, outbox, now=clock(), redrive_after=redrive_after)

    async def expire() -> int:
        async with database.begin() as connection:
            return await upkeep.expire(Work(connection, outbox, redrive_after, clock()))

    async def sweep() -> int:
        async with database.begin() as connection:
            return await upkeep.sweep(Work(connection, outbox, redrive_after, clock()))

    async def keep_house() -> int:
        async with database.begin() as connection:
            await upkeep.make_partitions(connection, now=clock())
            return await upkeep.forget_idempotency_keys(connection, now=clock())

    async def count() -> int:
        async with database.begin() as connection:
            return upkeep.BATCH if await statistics.count(connection, now=clock()) else 0

    return [
        Loop("promotion redrive", _every(LOOK_SECONDS, redrive)),
        Loop("promotion expiry", _every(LOOK_SECONDS, expire)),
        Loop("promotion sweep", _every(LOOK_SECONDS, sweep)),
        Loop("promotion housekeeping", _every(HOUSEKEEPING_SECONDS, keep_house)),
        Loop("promotion statistics", _every(COUNTING_SECONDS, count)),
    ]


def _every(seconds: float, look: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[float]]:
    # Loops are woken by every batch of the consumers; these look by the clock alone, or on while there is more.
    next_look = 0.0

    async def step() -> float:
        nonlocal next_look
        time = asyncio.get_running_loop().time
        if time() >= next_look and await look() < upkeep.BATCH:
            next_look = time() + seconds
        return max(0.0, next_look - time())

    return step
