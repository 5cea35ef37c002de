"""Lets events count whose time has come: they were dated ahead and set aside when they arrived."""

from services.platform.clock import Clock
from services.platform.database import Database
from services.rules.handlers.intake import Intake
from services.rules.store.ledger import take_due

BATCH = 500
LOOK_EVERY_SECONDS = 2.0


class EarlyEvents:
    """The loop that watches what was set aside."""

    def __init__(self, *, database: Database, intake: Intake, clock: Clock) -> None:
        self._database = database
        self._intake = intake
        self._clock = clock

    async def step(self) -> float:
        """Keep what is due; tell how long to rest, in seconds."""
        now = self._clock()
        async with self._database.begin() as connection:
            due = await take_due(connection, now=now, limit=BATCH)
            if due:
                await self._intake.keep(connection, due, now)
        return 0.0 if len(due) == BATCH else LOOK_EVERY_SECONDS
