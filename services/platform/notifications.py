"""Listening to PostgreSQL's notifications; they are hints, for some are lost while the connection is made anew."""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from services.platform.database import DRIVER_ERRORS

RETRY_SECONDS = 1.0
# A connection that died silently is found out no later than this.
PROBE_SECONDS = 10.0

_log = structlog.get_logger()


class Listener:
    """Calls ``heard`` for each notification on ``channel``, over one connection of its own.

    ``url`` is a plain PostgreSQL URL, not one of a transaction pooler.
    """

    def __init__(self, url: str, channel: str, heard: Callable[[], None], *, role: str | None) -> None:
        self._url = url
        self._channel = channel
        self._heard = heard
        self._settings = {"application_name": f"listen {channel}"} | ({} if role is None else {"role": role})

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except DRIVER_ERRORS as error:
                _log.warning("not listening", channel=self._channel, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=2, command_timeout=5, server_settings=self._settings)
        try:
            await connection.add_listener(self._channel, lambda *_: self._heard())
            while True:
                await asyncio.sleep(PROBE_SECONDS)
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()
