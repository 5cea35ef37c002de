"""The slower loops: giving up, reporting again, fencing orphans, and looking at how much waits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from services.executor import handlers, metrics
from services.executor.domain.announcement import announcement
from services.executor.domain.answers import Call, Fenced, read_reply
from services.executor.domain.course import give_up
from services.executor.domain.retry import delay_seconds
from services.executor.domain.settlements import Result
from services.executor.gateways import GatewayClient
from services.executor.store import orphans, retention, upkeep
from services.executor.store.gateways import Gateway, find_gateways
from services.executor.store.orphans import Attempt, Orphan
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox

GIVE_UP_SECONDS = 5.0
ANNOUNCE_SECONDS = 2.0
ORPHANS_SECONDS = 5.0
RETENTION_SECONDS = 3600.0
RETENTION_BATCH = 1000
RETENTION_PAUSE_SECONDS = 0.5
LEASE = timedelta(seconds=5)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Each method is the step of a loop; each may be repeated at any point without harm."""

    database: Database
    outbox: Outbox
    client: GatewayClient
    clock: Clock
    jitter: Callable[[], float]
    announce_after: timedelta
    gateway_timeout: timedelta
    kept: timedelta

    async def give_up(self) -> float:
        """End what not even a fence could end in time."""
        now = self.clock()
        async with self.database.begin() as connection:
            hopeless = await upkeep.claim_hopeless(connection, now=now, lease_until=now + LEASE)
            results = [Result(execution, give_up(execution), now) for execution in hopeless]
            await handlers.settle(connection, results, outbox=self.outbox, announce_after=self.announce_after, now=now)
        for result in results:
            _log.warning(
                "execution given up", promotion_id=result.execution.order.key, orphaned=result.orphaned,
                organization_id=result.execution.order.organization_id,
            )  # fmt: skip
        return 0.0 if len(results) == upkeep.BATCH else GIVE_UP_SECONDS

    async def announce(self) -> float:
        """Report again what came of executions, until those who need it show that they have it."""
        now = self.clock()
        async with self.database.begin() as connection:
            finished = await upkeep.untaken(connection, now=now, after=self.announce_after)
            await self.outbox.append(connection, [announcement(item) for item in finished])
            metrics.BACKLOG.set(await upkeep.count_backlog(connection, now=now))
            metrics.ORPHANS.set(await orphans.count(connection))
        if finished:
            _log.info("outcomes reported again", count=len(finished))
        return 0.0 if len(finished) == upkeep.BATCH else ANNOUNCE_SECONDS

    async def forget(self) -> float:
        """Let go of some executions that ended long ago and that nothing needs."""
        async with self.database.begin() as connection:
            gone = await retention.forget(connection, before=self.clock() - self.kept, limit=RETENTION_BATCH)
        return RETENTION_PAUSE_SECONDS if gone == RETENTION_BATCH else RETENTION_SECONDS

    async def fence_orphans(self) -> float:
        """Ask the gateways of due orphans to fence them."""
        async with self.database.begin() as connection:
            due = await orphans.claim(connection, now=self.clock(), lease=self.gateway_timeout + LEASE)
            keys = [(orphan.order.organization_id, orphan.order.gateway_id) for orphan in due]
            gateways = await find_gateways(connection, keys) if keys else {}
        if not due:
            return ORPHANS_SECONDS
        attempts = await asyncio.gather(
            *(self._fence(orphan, gateways[key]) for key, orphan in zip(keys, due, strict=True))
        )
        async with self.database.begin() as connection:
            await orphans.write(connection, attempts)
        return 0.0

    async def _fence(self, orphan: Orphan, gateway: Gateway) -> Attempt:
        if orphan.called_url is not None:
            gateway = gateway.at(orphan.called_url, orphan.called_credential)
        answer = await self.client.ask(Call.FENCE, orphan.order, gateway, fencing_token=orphan.fencing_token)
        now = self.clock()
        reply = read_reply(Call.FENCE, orphan.order, answer, now=now)
        if isinstance(reply, Fenced):
            _log.info("orphan fenced", promotion_id=orphan.order.key, organization_id=orphan.order.organization_id)
            return Attempt(orphan, fenced_at=now, due_at=now, error=None)
        return Attempt(orphan, fenced_at=None, due_at=self._next_try(orphan, now), error=getattr(reply, "reason", None))

    def _next_try(self, orphan: Orphan, now: datetime) -> datetime:
        age_seconds = (now - orphan.recorded_at).total_seconds()
        wait_seconds = delay_seconds(attempts=orphan.attempts, age_seconds=age_seconds, jitter=self.jitter())
        return now + timedelta(seconds=wait_seconds)
