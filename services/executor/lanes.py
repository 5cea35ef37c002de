"""One gateway's lane through the executor: what it may take now, and what is under way.

Lanes share nothing, so that a gateway that hangs holds back its own executions and no others.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.executor.domain.breaker import Breaker, BreakerState
from services.executor.domain.execution import Execution
from services.executor.store.gateways import Gateway
from services.executor.store.leases import Wanted

MAX_BATCH = 200


@dataclass(slots=True)
class Held:
    """An execution under this process's lease; nothing may be called for it after ``lease_until``."""

    execution: Execution
    lease_until: datetime


@dataclass(slots=True)
class Lane:
    """What one gateway has waiting and under way in this process; ``start`` sets one execution going."""

    gateway: Gateway
    start: Callable[["Lane", Held], None]
    breaker: Breaker = field(default_factory=Breaker)
    calling: int = 0
    waiting: deque[Held] = field(default_factory=deque)
    # Since the last claim; what was finished meanwhile is what can be finished during the next one.
    finished: int = 0

    def serve(self, gateway: Gateway) -> None:
        """Take in how the gateway is registered now; what was known of another address's health is forgotten."""
        if gateway.url != self.gateway.url:
            self.breaker = Breaker()
        self.gateway = gateway

    def wanted(self, now: datetime) -> Wanted:
        """Say how much to claim: enough to keep every permitted call busy until the next claim."""
        held = self.calling + len(self.waiting)
        state = self.breaker.state(now)
        match state:
            case BreakerState.CLOSED:
                room = min(MAX_BATCH, self.gateway.max_concurrency + 2 * self.finished - held)
            case BreakerState.PROBING:
                room = 1 - held
            case BreakerState.OPEN:
                room = 0
        gateway = self.gateway
        return Wanted(
            gateway.organization_id,
            gateway.gateway_id,
            max(0, room),
            probe=state is BreakerState.PROBING,
            url=gateway.url,
            credential=gateway.credential,
        )

    def advance(self, now: datetime) -> None:
        """Start what may start; while the breaker rests, nothing does."""
        if self.breaker.state(now) is BreakerState.OPEN:
            return
        while self.waiting and self.calling < self.gateway.max_concurrency:
            self.calling += 1
            self.start(self, self.waiting.popleft())

    def done(self, now: datetime) -> None:
        """Take note that one call's execution left the lane."""
        self.calling -= 1
        self.finished += 1
        self.advance(now)

    def stand_down(self) -> list[Held]:
        """Give back everything that has not started."""
        given_back = list(self.waiting)
        self.waiting.clear()
        return given_back

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing here and nothing to remember."""
        return not (self.calling or self.waiting) and self.breaker == Breaker()


def share_out(lanes: Sequence[Lane], now: datetime, *, limit: int, first: int) -> list[Wanted]:
    """Say what to claim for all lanes, at most ``limit``; ``first`` moves on, so that each lane comes first in turn."""
    start = first % len(lanes) if lanes else 0
    wanted: list[Wanted] = []
    for lane in (*lanes[start:], *lanes[:start]):
        item = lane.wanted(now)
        room = min(item.room, limit)
        if room > 0:
            wanted.append(replace(item, room=room))
            limit -= room
    return wanted
