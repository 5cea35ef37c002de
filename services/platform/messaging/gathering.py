"""Of how many records a batch is made: what a look brings, what follows it in a crowd, what nobody waits for.

It knows no service and no broker, only how to look.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import structlog

# After a batch of few a patient subscription begins the next no sooner than this, so that what comes one by one is
# handled together.
GATHER_SECONDS = 0.1
FEW_RECORDS = 50
# Where the broker gives what it has in small portions, many behind many are a crowd: what follows is taken with them
# until none comes for a moment, or for so long, since a batch of many costs little more than one of few.
CROWD_RECORDS = 16
CROWD_PAUSE_MS = 25.0
CROWD_SECONDS = 0.3

_log = structlog.get_logger()

# Records by partition, each partition's in their order.
Polled: TypeAlias = Mapping[Any, list[Any]]


class Poll(Protocol):
    """Gives at most so many records, or none when none came in time; whoever asks again gets those behind them."""

    async def __call__(self, *, timeout_ms: float, max_records: int) -> Polled:
        """Look once."""


class Gathering:
    """The batches of one subscription; ``looked`` is called after each look, whatever it brought.

    With ``crowds`` a batch may be of several looks. That is for consumers that share their partitions with nobody: one
    that loses some between two looks would begin the others anew, behind what it has in hand. While a
    ``patient`` one rests the client is kept from fetching by ``pause`` and ``resume``: what it fetched early would be
    little, and would be all that the next look brings.
    """

    def __init__(
        self,
        poll: Poll,
        *,
        patient: bool,
        crowds: bool,
        looked: Callable[[], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poll = poll
        self._patient = patient
        self._crowds = crowds
        self._looked = looked
        self._pause = pause
        self._resume = resume
        self._now = now
        self._next_at = 0.0
        self._last_count = 0

    async def getmany(self, *, timeout_ms: float, max_records: int) -> Polled:
        """Look until there are records; give the next batch."""
        if (rest_seconds := self._next_at - self._now()) > 0:
            await asyncio.sleep(rest_seconds)
        self._resume()
        # It comes back with records alone, for after an empty answer nobody asks for a while.
        while not (batch := await self._look(timeout_ms, max_records)):
            self._last_count = 0
        if self._crowds and min(_count(batch), self._last_count) >= CROWD_RECORDS:
            batch = await self._with_those_behind(batch, max_records)
        self._last_count = _count(batch)
        if self._patient and self._last_count < FEW_RECORDS:
            self._next_at = self._now() + GATHER_SECONDS
            self._pause()
        return batch

    async def _look(self, timeout_ms: float, max_records: int) -> Polled:
        polled = await self._poll(timeout_ms=timeout_ms, max_records=max_records)
        self._looked()
        return polled

    async def _with_those_behind(self, first: Polled, max_records: int) -> Polled:
        crowd = {partition: list(records) for partition, records in first.items()}
        until, room = self._now() + CROWD_SECONDS, max_records - _count(first)
        while room > 0 and self._now() < until:
            try:
                more = await self._look(CROWD_PAUSE_MS, room)
            except Exception as error:  # noqa: BLE001 - asked again, the client would go on behind what was taken
                _log.warning("look failed in a crowd", error=f"{type(error).__name__}: {error}")
                break
            if not more:
                break
            for partition, records in more.items():
                crowd.setdefault(partition, []).extend(records)
            room -= _count(more)
        return crowd


def _count(polled: Polled) -> int:
    return sum(map(len, polled.values()))
