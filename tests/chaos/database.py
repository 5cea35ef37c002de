"""The database as a bystander reads it: plain questions as its owner, asked again while the server is away."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import asyncpg

from services.platform.database import DRIVER_ERRORS

Row = dict[str, Any]
_AGAIN_SECONDS = 0.1


class Database:
    """One connection, made anew when it is lost; ``url`` is asked each time."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def rows(self, query: str, *arguments: object, patience_seconds: float = 60.0) -> list[Row]:
        """Ask until there is an answer; raises TimeoutError after ``patience_seconds``."""
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                async with self._one_at_a_time:
                    return await self._ask(query, *arguments)
            except DRIVER_ERRORS as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"PostgreSQL did not answer {query!r}: {error}") from error
                await asyncio.sleep(_AGAIN_SECONDS)

    async def number(self, query: str, *arguments: object) -> int:
        """Ask for one number."""
        return int(next(iter((await self.rows(query, *arguments))[0].values())) or 0)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.terminate()

    async def _ask(self, query: str, *arguments: object) -> list[Row]:
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    self._url(),
                    timeout=2,
                    command_timeout=10,
                    server_settings={"app.organizations": "*", "application_name": "chaos"},
                )
            return [dict(row) for row in await self._connection.fetch(query, *arguments)]
        except BaseException:
            await self.close()
            raise
