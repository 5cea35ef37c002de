"""Serves the application over HTTP until it is told to stop; takes no signals and reads no environment."""

import asyncio
import contextlib
from collections.abc import Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from services.platform.database import is_outage
from services.platform.process import CannotListen
from services.platform.schema_state import require_current, schemas
from services.platform.service import Readiness
from services.platform.settings import Settings

DRAIN_SECONDS = 8
KEEP_ALIVE_SECONDS = 30
CHECK_SECONDS = 1.0

_log = structlog.get_logger()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the process."""
        yield


class Ingress:
    """The HTTP door as something that runs; it serves while the database is away, and says so with 503."""

    name = "ingress"

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self.app = app
        self._settings = settings
        self._is_current = False
        self._server = _Server(
            uvicorn.Config(
                app,
                host=settings.http_host,
                port=settings.http_port,
                http="httptools",
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )

    @property
    def port(self) -> int | None:
        """Give the port on which it listens; None while it does not."""
        if not self._server.started:
            return None
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until ``stopping`` is set, then finish what is under way; raises SchemaOutdated on an old schema."""
        tasks = [
            asyncio.create_task(stopping.wait()),
            asyncio.create_task(self._serve(), name="ingress server"),
            asyncio.create_task(self._until_current(), name="ingress schema check"),
        ]
        stop, serving, checking = tasks
        try:
            waiting = {stop, serving, checking}
            while not (stop.done() or serving.done()):
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if checking in done:
                    checking.result()
        finally:
            self._server.should_exit = True
            self.app.state.feeds.close()
            stop.cancel()
            checking.cancel()
            await serving

    async def readiness(self) -> Readiness:
        """Say whether requests can be served now; Kafka is no part of it."""
        if not self._server.started:
            return Readiness(("http: not listening",))
        if not self._is_current:
            return Readiness(("schema: not checked yet",))
        state: Readiness = await self.app.state.readiness()
        return state

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit:
            # uvicorn logs the reason and ends the process; that is for whoever runs it to do.
            place = f"{self._settings.http_host}:{self._settings.http_port}"
            raise CannotListen(f"cannot serve HTTP on {place}; is the port taken?") from None

    async def _until_current(self) -> None:
        url = self._settings.database_url.get_secret_value()
        for schema in schemas():
            while True:
                try:
                    await require_current(url, schema)
                except Exception as error:
                    if not is_outage(error):
                        raise
                    _log.warning("schema not checked", schema=schema, error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(CHECK_SECONDS)
                else:
                    break
        self._is_current = True
