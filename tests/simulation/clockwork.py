"""Time that is moved by hand, also for the event loop: no timer fires unless the simulation lets it."""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# No two steps happen at one instant, as none do in life.
TICK = timedelta(microseconds=137)


class Clock:
    """The time of day; ``offset`` is what the wall clock was set back or forth, which the loop's time never is."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Go back to the start."""
        self.elapsed = timedelta()
        self.offset = timedelta()

    def jump(self, duration: timedelta) -> None:
        """Set the wall clock forth or back."""
        self.offset += duration

    def __call__(self) -> datetime:
        return START + self.elapsed + self.offset

    def advance(self, duration: timedelta) -> None:
        self.elapsed += duration

    def tick(self) -> None:
        self.elapsed += TICK


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is the simulation's; what it waits for outside (PostgreSQL) is waited for truly."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(selectors.DefaultSelector())
        self._clock = clock

    def time(self) -> float:
        return self._clock.elapsed.total_seconds()


async def settle_tasks() -> None:
    """Let every task run until it waits for something outside of itself."""
    for _ in range(12):
        await asyncio.sleep(0)
