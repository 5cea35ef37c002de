"""Lets go of dead letters that somebody dealt with long ago; those with which nothing was done stay."""

import asyncio
from datetime import timedelta

import structlog

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.messaging import letter_box

BATCH = 200
PAUSE_SECONDS = 0.5
LOOK_EVERY_SECONDS = 3600.0

_log = structlog.get_logger()


async def let_go_of_letters(database: Database, clock: Clock, *, kept: timedelta) -> None:
    """Look once an hour, until cancelled; several processes may."""
    while True:
        try:
            rest_seconds = await forget_some(database, clock, kept=kept)
        except Exception as error:  # noqa: BLE001 - there is always a next look
            _log.warning("dead letters not let go", error=f"{type(error).__name__}: {error}")
            rest_seconds = LOOK_EVERY_SECONDS
        await asyncio.sleep(rest_seconds)


async def forget_some(database: Database, clock: Clock, *, kept: timedelta) -> float:
    """Delete a batch; tell how long to rest, in seconds."""
    async with database.begin() as connection:
        gone = await letter_box.forget(connection, before=clock() - kept, limit=BATCH)
    return PAUSE_SECONDS if gone == BATCH else LOOK_EVERY_SECONDS
