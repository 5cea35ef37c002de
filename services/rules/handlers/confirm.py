"""Sends again what was not taken yet, evaluations and requests: what Kafka lost, PostgreSQL still has."""

from datetime import datetime, timedelta

import structlog

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.rules.domain.auto_promotion import request_event
from services.rules.store.auto_promotions import lock_unarrived, set_due
from services.rules.store.requests import latest_records
from services.rules.store.unconfirmed import forget, lock_due, postpone

BATCH = 500
LOOK_EVERY_SECONDS = 2.0
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=60)

_log = structlog.get_logger()


class Confirmation:
    """The loop that looks for what nobody took."""

    def __init__(self, *, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    async def step(self) -> float:
        """Confirm or repeat what is due; tell how long to rest, in seconds."""
        now = self._clock()
        evaluations = await self._evaluations(now)
        requests = await self._requests(now)
        return 0.0 if BATCH in (evaluations, requests) else LOOK_EVERY_SECONDS

    async def _evaluations(self, now: datetime) -> int:
        async with self._database.begin() as connection:
            due = await lock_due(connection, now=now, limit=BATCH)
            missing = [each for each in due if not each.taken]
            records = await latest_records(connection, [each.key for each in missing]) if missing else {}
            await self._outbox.append_records(connection, [record for record in records.values() if record is not None])
            await forget(connection, [each.key for each in due if each.taken])
            await postpone(connection, [(each, pause_after(each.attempts)) for each in missing], now=now)
        if missing:
            _log.info(
                "evaluations sent again", promotions=[str(each.key[1]) for each in missing[:10]], count=len(missing)
            )
        return len(due)

    async def _requests(self, now: datetime) -> int:
        """Send the trigger's requests again that have not come back to be evaluated."""
        async with self._database.begin() as connection:
            due = await lock_unarrived(connection, now=now, limit=BATCH)
            missing = [asked for asked, _, arrived in due if not arrived]
            await self._outbox.append(connection, [request_event(asked) for asked in missing])
            await set_due(
                connection,
                [(asked, None if arrived else now + pause_after(attempts)) for asked, attempts, arrived in due],
            )
        if missing:
            _log.info(
                "requests sent again", promotions=[str(each.promotion_id) for each in missing[:10]], count=len(missing)
            )
        return len(due)


def pause_after(attempts: int) -> timedelta:
    """Give how long to wait before something is sent once more."""
    doublings: int = 2 ** min(attempts, 10)
    return min(FIRST_PAUSE * doublings, LONGEST_PAUSE)
