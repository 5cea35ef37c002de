"""What notifications does by itself beside sending: finds what Kafka did not bring, gives up, sweeps out."""

from datetime import timedelta

from services.notifications import handlers
from services.notifications.store import upkeep
from services.notifications.worker import tell_disabled
from services.platform.clock import Clock
from services.platform.database import Database

LOOK_SECONDS = 5.0
# Kafka is the quicker way; what it has not brought by then is taken from PostgreSQL.
PATIENCE = timedelta(seconds=10)
SWEEP_SECONDS = 30.0
# The last attempt is made at the deadline, and has this long to come to its turn.
GRACE = timedelta(minutes=10)
KEPT = timedelta(days=30)
# A lease on a delivery to a webhook that is deleted ends within this time.
DELETED_KEPT = timedelta(minutes=5)


class Upkeep:
    """The steps of the loops; each is harmless to repeat, and several processes may do them at once."""

    def __init__(self, *, database: Database, clock: Clock, deadline: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._deadline = deadline

    async def catch_up(self) -> float:
        """Take in what Kafka has not brought; give the seconds to rest."""
        async with self._database.begin() as connection:
            more = await handlers.catch_up(connection, now=self._clock(), patience=PATIENCE, deadline=self._deadline)
        return 0.0 if more else LOOK_SECONDS

    async def sweep(self) -> float:
        """Give up what is past its deadline, forget what is old, disable what drowns; give the seconds to rest."""
        now = self._clock()
        async with self._database.begin() as connection:
            swept = [
                await upkeep.give_up(connection, now=now, before=now - GRACE),
                await upkeep.forget(connection, before=now - KEPT),
                await upkeep.empty_deleted(connection),
            ]
            await upkeep.remove_deleted(connection, before=now - DELETED_KEPT)
        async with self._database.begin() as connection:
            disabled = await handlers.disable_overflowing(connection)
        tell_disabled(disabled)
        return 0.0 if any(count >= upkeep.AT_ONCE for count in swept) else SWEEP_SECONDS
