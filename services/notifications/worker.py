"""The worker: leases on due deliveries, their attempts, and rounds that write what came of them.

Each round is one transaction, in which nothing is sent: it settles what is done and claims more.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications import handlers, metrics
from services.notifications.domain.course import Answer, Attempt, Delivery
from services.notifications.domain.hook import Hook
from services.notifications.domain.lanes import Key, share_out
from services.notifications.sender import Sender
from services.notifications.store import leases
from services.platform.clock import Clock
from services.platform.database import Database

POLL_SECONDS = 1.0
DRAIN_SECONDS = 8.0
# Beyond an attempt's own time, for the round that writes what came of it.
LEASE_MARGIN = timedelta(seconds=30)

_log = structlog.get_logger()


class Worker:
    """Sends what is due; ``round`` is a loop's step, ``drain`` ends it in order while that loop still runs."""

    def __init__(
        self,
        *,
        database: Database,
        sender: Sender,
        clock: Clock,
        jitter: Callable[[], float],
        attempt_time: timedelta,
    ) -> None:
        self.wake = asyncio.Event()
        self._database = database
        self._sender = sender
        self._clock = clock
        self._jitter = jitter
        self._lease = attempt_time + LEASE_MARGIN
        self._attempts: list[Attempt] = []
        self._tasks: dict[tuple[UUID, int], asyncio.Task[None]] = {}
        self._under_way: Counter[Key] = Counter()
        self._rounds = 0
        self._draining = False
        self._drained = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Tell whether anything is being sent or waits to be written."""
        return bool(self._tasks or self._attempts)

    async def round(self) -> float:
        """Settle and claim in one transaction; give the seconds to rest."""
        now, attempts = self._clock(), tuple(self._attempts)
        async with self._database.begin() as connection:
            disabled = await handlers.settle(connection, attempts, now=now, jitter=self._jitter)
            claimed = [] if self._draining else await self._claim(connection, now)
        del self._attempts[: len(attempts)]
        self._tell(attempts, disabled)
        for delivery, hook in claimed:
            self._start(delivery, hook, lease_until=now + self._lease)
        metrics.UNDER_WAY.set(len(self._tasks))
        if self._draining and not self.busy:
            self._drained.set()
        return 0.0 if self._attempts else POLL_SECONDS

    async def drain(self) -> None:
        """Claim no more, and let what is being sent finish and be written; what does not is sent again later."""
        self._draining = True
        self.wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), DRAIN_SECONDS)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.close()

    async def _claim(self, connection: AsyncConnection, now: datetime) -> list[tuple[Delivery, Hook]]:
        found = await leases.hooks_with_work(connection, now=now)
        self._rounds += 1
        wanted = share_out(found, self._under_way, first=self._rounds)
        by_id = {item.hook.id: item.hook for item in wanted}
        claimed = await leases.claim(connection, wanted, now=now, lease_until=now + self._lease)
        return [(delivery, by_id[delivery.webhook_id]) for delivery in claimed]

    def _start(self, delivery: Delivery, hook: Hook, *, lease_until: datetime) -> None:
        self._under_way[hook.key] += 1
        self._tasks[delivery.id, delivery.epoch] = asyncio.create_task(self._attempt(delivery, hook, lease_until))

    async def _attempt(self, delivery: Delivery, hook: Hook, lease_until: datetime) -> None:
        try:
            began_at = self._clock()
            # A process that was paused has lost its lease: somebody else sends it.
            if began_at < lease_until:
                reply = await self._sender.send(delivery, hook, now=began_at)
                self._attempts.append(Attempt(delivery, reply, began_at, self._clock()))
        except Exception:  # noqa: BLE001 - one delivery that breaks must not break the others; its lease runs out
            _log.exception("delivery interrupted", delivery_id=str(delivery.id), webhook_id=str(hook.id))
        finally:
            del self._tasks[delivery.id, delivery.epoch]
            self._under_way[hook.key] -= 1
            if not self._under_way[hook.key]:
                del self._under_way[hook.key]
            self.wake.set()

    def _tell(self, attempts: tuple[Attempt, ...], disabled: list[Hook]) -> None:
        for attempt in attempts:
            outcome = "taken" if attempt.taken else "refused" if isinstance(attempt.reply, Answer) else "unanswered"
            metrics.ATTEMPTS.labels(outcome).inc()
        tell_disabled(disabled)


def tell_disabled(disabled: list[Hook]) -> None:
    """Log and count webhooks that were disabled."""
    for hook in disabled:
        metrics.DISABLED.inc()
        _log.warning(
            "webhook disabled", organization_id=hook.organization_id, webhook_id=str(hook.id), reason=hook.status_reason
        )
