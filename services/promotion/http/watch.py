"""Waiting for promotions to move: one look at the database serves all who wait, and none holds a connection."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.platform.database import Database
from services.promotion import store
from services.promotion.domain.promotion import Key, Promotion

LOOK_SECONDS = 0.05
TROUBLE_SECONDS = 1.0

Done = Callable[[Promotion], bool]

_log = structlog.get_logger()


@dataclass(slots=True)
class Watch:
    """Looks after promotions as long as somebody waits for one."""

    database: Database
    _waiting: dict[Key, list[tuple[Done, asyncio.Future[Promotion]]]] = field(default_factory=lambda: defaultdict(list))
    _looking: asyncio.Task[None] | None = None

    async def until(self, promotion: Promotion, done: Done, *, seconds: float) -> Promotion:
        """Wait until ``done`` says so of the promotion, ``seconds`` at most; give it as it was last seen."""
        if seconds <= 0 or done(promotion):
            return promotion
        seen = [promotion]

        def look(current: Promotion) -> bool:
            seen[0] = current
            return done(current)

        answer: asyncio.Future[Promotion] = asyncio.get_running_loop().create_future()
        waiter = (look, answer)
        self._waiting[promotion.key].append(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            return seen[0]
        finally:
            self._forget(promotion.key, waiter)

    def _forget(self, key: Key, waiter: tuple[Done, asyncio.Future[Promotion]]) -> None:
        self._waiting[key].remove(waiter)
        if not self._waiting[key]:
            del self._waiting[key]

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look_once()
            except Exception as error:  # noqa: BLE001 - those who wait have their own limit of time
                _log.warning("cannot look after promotions", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(TROUBLE_SECONDS)

    async def _look_once(self) -> None:
        keys = list(self._waiting)
        async with self.database.begin(organizations={key.organization_id for key in keys}) as connection:
            found = await store.load(connection, keys, lock=False)
        for key, promotion in found.items():
            for done, answer in self._waiting.get(key, ()):
                if done(promotion) and not answer.done():
                    answer.set_result(promotion)
