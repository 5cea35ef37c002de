"""One instance of a service at a time: needed on the embedded broker, which cannot share a topic among several."""

import asyncio

import asyncpg
import structlog

from services.platform.database import DRIVER_ERRORS

# A killed predecessor's session may outlive it by a moment.
PATIENCE_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 0.25

_log = structlog.get_logger()


class AlreadyRunning(Exception):
    """Another instance of the service holds the lock."""


class InstanceLock:
    """A PostgreSQL advisory lock that lives with one session; taken anew where the session is lost.

    ``url`` is a plain PostgreSQL URL, not one of a transaction pooler.
    """

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._service = service
        self._connection: asyncpg.Connection | None = None
        self._lost = asyncio.Event()

    async def acquire(self) -> None:
        """Take the lock; waits out an absent database; raises AlreadyRunning."""
        waited_seconds = 0.0
        while not await self._try():
            if self._connection is not None and waited_seconds >= PATIENCE_SECONDS:
                await self.release()
                raise AlreadyRunning(
                    f"{self._service} is running already, and the embedded broker has no consumer groups to share work "
                    "among several. Stop the other instance, or use Apache Kafka (PROMOTION_KAFKA_FLAVOUR=apache)."
                )
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            waited_seconds += LOOK_AGAIN_SECONDS

    async def hold(self) -> None:
        """Take the lock anew whenever its session is lost; raises AlreadyRunning where another was quicker."""
        while True:
            await self._lost.wait()
            _log.warning("instance lock lost", service=self._service)
            await self.release()
            await self.acquire()

    async def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _try(self) -> bool:
        try:
            if self._connection is None:
                self._connection = await self._connected()
            return bool(
                await self._connection.fetchval(
                    "SELECT pg_try_advisory_lock(hashtext('instance'), hashtext($1))", self._service
                )
            )
        except DRIVER_ERRORS as error:
            _log.warning("instance lock not to be had", service=self._service, error=str(error))
            await self.release()
            return False

    async def _connected(self) -> asyncpg.Connection:
        lost = self._lost = asyncio.Event()
        settings = {"application_name": f"{self._service}-instance"}
        connection = await asyncpg.connect(self._url, timeout=2, command_timeout=5, server_settings=settings)
        connection.add_termination_listener(lambda _: lost.set())
        return connection
