"""The worker: leases on due executions, their calls to gateways, and rounds that write what came of them.

Each round is one transaction: it settles what is done, renews what is held and claims more while calls go on. The
limit on a gateway's concurrent calls holds for each executor process by itself.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.executor import handlers, metrics
from services.executor.domain.answers import Call, Reply, Unknown, Unsent, read_reply
from services.executor.domain.breaker import Breaker, BreakerState
from services.executor.domain.course import Released, Step, first_step, next_step
from services.executor.domain.execution import Execution, LeaseId
from services.executor.domain.settlements import Result
from services.executor.gateways import GatewayClient
from services.executor.lanes import Held, Lane, share_out
from services.executor.store import leases
from services.executor.store.gateways import Gateway, gateways_with_work
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox

LEASE = timedelta(seconds=5)
RENEW_BEFORE = timedelta(seconds=3)
# How long it rests while anything is unfinished, and while nothing is.
POLL_SECONDS = 0.25
IDLE_SECONDS = 2.0
DRAIN_SECONDS = 8.0
MAX_CLAIMED = 400

_log = structlog.get_logger()


class Worker:
    """Carries out what is due; ``round`` is a loop's step, ``drain`` ends it in order while that loop still runs.

    ``jitter`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        client: GatewayClient,
        clock: Clock,
        jitter: Callable[[], float],
        announce_after: timedelta,
    ) -> None:
        self.wake = asyncio.Event()
        self._database = database
        self._outbox = outbox
        self._client = client
        self._clock = clock
        self._jitter = jitter
        self._announce_after = announce_after
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._held: dict[LeaseId, Held] = {}
        self._tasks: dict[LeaseId, asyncio.Task[None]] = {}
        self._results: list[Result] = []
        self._recovered: set[tuple[str, str]] = set()
        self._rounds = 0
        self._draining = False
        self._drained = asyncio.Event()

    async def round(self) -> float:
        """Settle, renew and claim in one transaction; give the seconds to rest."""
        now = self._clock()
        self._give_back(now)
        results, recovered = tuple(self._results), tuple(self._recovered)
        async with self._database.begin() as connection:
            settled = await handlers.settle(
                connection, results, outbox=self._outbox, announce_after=self._announce_after, now=now
            )
            kept, lost = await self._renew(connection, now, done={result.execution.lease_id for result in results})
            await leases.pull_forward(connection, recovered, now=now)
            claimed = [] if self._draining else await self._claim(connection, now)
        del self._results[: len(results)]
        self._recovered.difference_update(recovered)
        self._let_go(results, settled)
        for held in kept:
            held.lease_until = now + LEASE
        for held in lost:
            self._abandon(held)
        self._take_up(claimed, now)
        if self._draining and not self.busy:
            self._drained.set()
        if self._results or len(claimed) >= MAX_CLAIMED:
            return 0.0
        return POLL_SECONDS if self._lanes else IDLE_SECONDS

    async def drain(self) -> None:
        """Claim no more, let what is being called finish and be written, and give back the rest."""
        self._draining = True
        self.wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), DRAIN_SECONDS)
        if self.busy:
            _log.warning("executions cut off", held=len(self._held))
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    @property
    def busy(self) -> bool:
        """Tell whether any execution is under a lease of this worker."""
        return bool(self._held)

    def observe(self) -> None:
        """Bring the gauges up to date."""
        now = self._clock()
        states = Counter(lane.breaker.state(now) for lane in self._lanes.values())
        for state in BreakerState:
            metrics.BREAKERS.labels(state).set(states[state])
        metrics.HELD.set(len(self._held))

    # Leases

    def _give_back(self, now: datetime) -> None:
        for lane in self._lanes.values():
            if self._draining or lane.breaker.state(now) is BreakerState.OPEN:
                self._results += [Result(held.execution, Released(), now) for held in lane.stand_down()]

    async def _renew(
        self, connection: AsyncConnection, now: datetime, *, done: set[LeaseId]
    ) -> tuple[list[Held], list[Held]]:
        ending = [
            held
            for lease_id, held in self._held.items()
            if lease_id not in done and held.lease_until - now < RENEW_BEFORE
        ]
        if not ending:
            return [], []
        ending.sort(key=lambda held: held.execution.lease_id)
        kept = await leases.renew(connection, [held.execution for held in ending], lease_until=now + LEASE)
        return (
            [held for held in ending if held.execution.lease_id in kept],
            [held for held in ending if held.execution.lease_id not in kept],
        )

    async def _claim(self, connection: AsyncConnection, now: datetime) -> list[Execution]:
        self._refresh_lanes(await gateways_with_work(connection))
        self._rounds += 1
        wanted = share_out(list(self._lanes.values()), now, limit=MAX_CLAIMED, first=self._rounds)
        return await leases.claim(connection, wanted, now=now, lease_until=now + LEASE)

    def _refresh_lanes(self, gateways: Sequence[Gateway]) -> None:
        current = {(gateway.organization_id, gateway.gateway_id): gateway for gateway in gateways}
        for key in [key for key, lane in self._lanes.items() if key not in current and lane.idle]:
            del self._lanes[key]
        for key, gateway in current.items():
            if key in self._lanes:
                self._lanes[key].serve(gateway)
            else:
                self._lanes[key] = Lane(gateway, self._start)

    def _take_up(self, claimed: Sequence[Execution], now: datetime) -> None:
        for lane in self._lanes.values():
            lane.finished = 0
        for execution in claimed:
            held = Held(execution, now + LEASE)
            self._held[held.execution.lease_id] = held
            self._lanes[execution.order.organization_id, execution.order.gateway_id].waiting.append(held)
        for lane in self._lanes.values():
            lane.advance(now)

    def _let_go(self, results: Sequence[Result], settled: Sequence[Result]) -> None:
        for result in results:
            self._held.pop(result.execution.lease_id, None)
        for result in settled:
            metrics.OUTCOMES.labels(type(result.outcome).__name__.lower()).inc()
        if len(settled) < len(results):
            _log.warning("outcomes of lost leases dropped", dropped=len(results) - len(settled))

    def _abandon(self, held: Held) -> None:
        # Somebody else holds it now; what is still under way here has the older fencing token.
        self._held.pop(held.execution.lease_id, None)
        order = held.execution.order
        _log.warning("lease lost", promotion_id=order.key, organization_id=order.organization_id)
        lane = self._lanes.get((order.organization_id, order.gateway_id))
        if held.execution.lease_id in self._tasks:
            self._tasks[held.execution.lease_id].cancel()
        elif lane is not None and held in lane.waiting:
            # Neither where its call ended while the lease was asked for.
            lane.waiting.remove(held)

    # Calls

    def _start(self, lane: Lane, held: Held) -> None:
        self._tasks[held.execution.lease_id] = asyncio.create_task(self._carry_out(lane, held))

    async def _carry_out(self, lane: Lane, held: Held) -> None:
        result = None
        try:
            result = await self._turn(lane, held)
        except Exception:  # noqa: BLE001 - one execution that breaks must not break its lane
            # Whatever happened to the call, it is looked up when the lease has run out.
            _log.exception("execution interrupted", promotion_id=held.execution.order.key)
        finally:
            if result is None:
                self._held.pop(held.execution.lease_id, None)
            else:
                self._results.append(result)
            del self._tasks[held.execution.lease_id]
            lane.done(self._clock())
            self.wake.set()

    async def _turn(self, lane: Lane, held: Held) -> Result | None:
        execution, step = first_step(held.execution, now=self._clock())
        while isinstance(step, Call):
            if self._clock() >= held.lease_until:
                return None
            execution, step = await self._make(step, execution, lane)
        return Result(held.execution, step, self._clock())

    async def _make(self, call: Call, execution: Execution, lane: Lane) -> Step:
        order = execution.order
        gateway = lane.gateway.at(execution.called_url, execution.called_credential)
        answer = await self._client.ask(call, order, gateway, fencing_token=execution.epoch)
        now = self._clock()
        reply = read_reply(call, order, answer, now=now)
        metrics.CALLS.labels(call.name.lower(), type(reply).__name__.lower()).inc()
        # An address that was left says nothing of the new one; while that rests, every call ends the probing.
        if gateway.url == lane.gateway.url or lane.breaker.opens_at is not None:
            self._judge(lane, reply, now)
        return next_step(execution, call, reply, now=now, jitter=self._jitter())

    def _judge(self, lane: Lane, reply: Reply, now: datetime) -> None:
        before, gateway = lane.breaker, lane.gateway
        if isinstance(reply, Unsent) or (isinstance(reply, Unknown) and reply.struggling):
            lane.breaker = before.after_failure(now)
            if before.opens_at is None and lane.breaker.opens_at is not None:
                _log.warning(
                    "gateway rested", gateway_id=gateway.gateway_id, organization_id=gateway.organization_id,
                    reason=reply.reason,
                )  # fmt: skip
        else:
            lane.breaker = Breaker()
            if before.opens_at is not None:
                self._recovered.add((gateway.organization_id, gateway.gateway_id))
                _log.info("gateway back", gateway_id=gateway.gateway_id, organization_id=gateway.organization_id)
