"""Lets go of what is older than it is kept for: event ids after a week, history after a month."""

from datetime import timedelta

from services.platform.clock import Clock
from services.platform.database import Database
from services.rules.store.retention import forget_events, forget_history, forget_runs, forget_verdicts

EVENTS_KEPT = timedelta(days=7)
HISTORY_KEPT = timedelta(days=30)
BATCH = 5_000
LOOK_EVERY_SECONDS = 600.0
PAUSE_SECONDS = 0.2


class Retention:
    """The loop that deletes, a batch a step, so that nobody waits for it."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def step(self) -> float:
        """Delete some of what is too old; tell how long to rest, in seconds."""
        now = self._clock()
        async with self._database.begin() as connection:
            counts = (
                await forget_events(connection, before=now - EVENTS_KEPT, limit=BATCH),
                await forget_history(connection, before=now - HISTORY_KEPT, limit=BATCH),
                await forget_runs(connection, before=now - HISTORY_KEPT, limit=BATCH),
                await forget_verdicts(connection, before=now - HISTORY_KEPT, limit=BATCH),
            )
        return PAUSE_SECONDS if BATCH in counts else LOOK_EVERY_SECONDS
