"""Group commit: requests that arrive while a transaction runs, or soon after one, go together in the next one.

Each caller gets its own outcome or its own error. It knows nothing of promotions.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.platform.database import is_permanent

_WORKERS = 2
ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")


@dataclass(slots=True)
class _Waiting(Generic[ItemT, OutcomeT]):
    item: ItemT
    outcome: asyncio.Future[OutcomeT]


class Coalescer(Generic[ItemT, OutcomeT]):
    """Runs ``run`` on batches of what is submitted, which begin no closer than ``pace_seconds``, two at a time at most.

    So one that comes alone waits for nobody, and of many that come one by one a few share what a transaction costs, and
    all that follows from it; and a batch that takes long does not stop the next. ``run`` gives one outcome for each
    item, in their order, or raises and has then done nothing.
    """

    def __init__(
        self,
        run: Callable[[Sequence[ItemT]], Awaitable[Sequence[OutcomeT]]],
        *,
        pace_seconds: float = 0.0,
        largest_batch: int = 200,
    ) -> None:
        self._run = run
        self._pace_seconds = pace_seconds
        self._largest_batch = largest_batch
        self._waiting: list[_Waiting[ItemT, OutcomeT]] = []
        self._next_at = 0.0
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: ItemT) -> OutcomeT:
        """Have ``item`` run with others; give its outcome or raise its error."""
        outcome: asyncio.Future[OutcomeT] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, outcome))
        if len(self._tasks) < _WORKERS:
            self._tasks.add(asyncio.create_task(self._work()))
        return await outcome

    async def _work(self) -> None:
        try:
            while self._waiting:
                if batch := await self._next():
                    await self._settle(batch)
        finally:
            # In the same step in which nothing was found waiting, so that no item waits for a worker that has gone.
            if (task := asyncio.current_task()) is not None:
                self._tasks.discard(task)

    async def _next(self) -> Sequence[_Waiting[ItemT, OutcomeT]]:
        """Take what waits when its time has come; nothing where another worker took it meanwhile."""
        async with self._turn:
            if not self._waiting:
                return ()
            await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
            batch = self._waiting[: self._largest_batch]
            del self._waiting[: self._largest_batch]
            self._next_at = time.monotonic() + self._pace_seconds
        return batch

    async def _settle(self, batch: Sequence[_Waiting[ItemT, OutcomeT]]) -> None:
        try:
            outcomes = await self._run([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - it is each caller's, who gets it below
            if len(batch) > 1 and is_permanent(error):
                # Something in it cannot be done; alone, each finds out whether it is that.
                for waiting in batch:
                    await self._settle([waiting])
                return
            for waiting in batch:
                if not waiting.outcome.done():
                    waiting.outcome.set_exception(error)
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)
