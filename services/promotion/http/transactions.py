"""Transactions of the HTTP side, run again after a collision."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from services.platform.clock import Clock
from services.platform.database import Database, is_conflict
from services.platform.messaging.outbox import Outbox
from services.promotion.work import Work

ATTEMPTS = 3
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Transactions:
    """Runs work on promotions, each piece in a transaction of its own."""

    database: Database
    outbox: Outbox
    clock: Clock
    redrive_after: timedelta

    async def run(self, do: Callable[[Work], Awaitable[ResultT]], *, organizations: Collection[str]) -> ResultT:
        """Run ``do``, which sees ``organizations``, and commit; it is run again, whole, when it collided."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._run_once(do, organizations)
            except Exception as error:
                if not is_conflict(error):
                    raise
        return await self._run_once(do, organizations)

    async def _run_once(self, do: Callable[[Work], Awaitable[ResultT]], organizations: Collection[str]) -> ResultT:
        async with self.database.begin(organizations=organizations, keeps_plans=True) as connection:
            return await do(Work(connection, self.outbox, self.redrive_after, self.clock()))
