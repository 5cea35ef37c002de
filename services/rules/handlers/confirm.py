"""Sends an evaluation again until the promotion service has taken it: what Kafka lost, PostgreSQL still has."""

from datetime import timedelta

import structlog

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.rules.store.requests import latest_records
from services.rules.store.unconfirmed import Due, forget, lock_due, postpone

BATCH = 500
LOOK_EVERY_SECONDS = 2.0
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=60)

_log = structlog.get_logger()


class Confirmation:
    """The loop that looks for evaluations that nobody took."""

    def __init__(self, *, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def step(self) -> float:
        """Confirm or repeat what is due; tell how long to rest, in seconds."""
        now = self._clock()
        async with self._database.begin() as connection:
            due = await lock_due(connection, now=now, limit=BATCH)
            missing = [each for each in due if not each.taken]
            records = await latest_records(connection, [each.key for each in missing]) if missing else {}
            await self._outbox.append_records(connection, [record for record in records.values() if record is not None])
            await forget(connection, [each.key for each in due if each.taken])
            await postpone(connection, [(each, pause_after(each)) for each in missing], now=now)
        if missing:
            _log.info(
                "evaluations sent again", promotions=[str(each.key[1]) for each in missing[:10]], count=len(missing)
            )
        return 0.0 if len(due) == BATCH else LOOK_EVERY_SECONDS


def pause_after(due: Due) -> timedelta:
    """Give how long to wait before it is sent once more."""
    doublings: int = 2 ** min(due.attempts, 10)
    return min(FIRST_PAUSE * doublings, LONGEST_PAUSE)
