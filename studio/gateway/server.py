"""Opens a gateway on a port of this process, and closes it without losing an answer."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from studio.gateway import contract
from studio.gateway.connection import Connection
from studio.gateway.faults import Script
from studio.gateway.host import Host
from studio.gateway.journal import Journal, LogFailedError
from studio.gateway.records import EffectApplied, RequestReceived, Started, read_log
from studio.gateway.state import GatewayState, apply

DRAIN_SECONDS = 5.0
PATIENCE_SECONDS = 5.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ReferenceGateway:
    """`async with ReferenceGateway(log=…, gateway_id=…, environment=…) as gateway`: serves `gateway.url`."""

    def __init__(
        self,
        *,
        log: Path,
        gateway_id: str,
        environment: str,
        host: str = "127.0.0.1",
        port: int = 0,
        credential: str | None = None,
        script: Script | None = None,
        allow_faults: bool = False,
        fsync: bool = True,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.log = log
        self.gateway_id = gateway_id
        self.environment = environment
        self.host = host
        self.port = port
        self.fsync = fsync
        self._credential = credential
        self._script = script or Script()
        self._allow_faults = allow_faults
        self._now = now
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._deserted = asyncio.Event()
        self._deserted.set()

    @property
    def url(self) -> str:
        """Where it answers, once it is open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def open(self) -> None:
        """Fold the log and listen. Raises `LogUnusableError`, `LogCorruptError`, `OSError` (port taken)."""
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[LogFailedError] = loop.create_future()
        self._journal = Journal(self.log, fsync=self.fsync, on_failure=self._stop_serving)
        try:
            self._host = self._create_host()
            await self._journal.flushed()
            self._server = await loop.create_server(
                lambda: Connection(self._host.answer, on_open=self._greet, on_close=self._part),
                sock=_listen(self.host, self.port),
            )
        except BaseException:
            await self._journal.close()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        self._patience = loop.create_task(self._check_patience())

    async def close(self, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Take no more requests, answer those under way, cut what takes longer, and let go of the log."""
        self._stop_listening()
        self._patience.cancel()
        for connection in list(self._connections):
            connection.finish()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._deserted.wait(), drain_seconds)
        self._abort_all()
        await self._host.close()
        with suppress(LogFailedError):
            await self._journal.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _create_host(self) -> Host:
        state, last_request = _replay(self.log)
        self._journal.append(
            Started(gateway_id=self.gateway_id, environment=self.environment, fsync=self.fsync, at=self._now())
        )
        return Host(
            health=contract.Health(
                status="ok", gateway_id=self.gateway_id, environment=self.environment, fsync=self.fsync
            ),
            journal=self._journal,
            state=state,
            last_request=last_request,
            credential=self._credential,
            script=self._script,
            allow_faults=self._allow_faults,
            now=self._now,
        )

    def _stop_serving(self, failure: LogFailedError) -> None:
        """Memory is ahead of the log now: another answer, even to a GET, could be untrue after a restart."""
        self._stop_listening()
        self._abort_all()
        if not self.failed.done():
            self.failed.set_result(failure)

    def _greet(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._deserted.clear()

    def _part(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._deserted.set()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    async def _check_patience(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PATIENCE_SECONDS)
            for connection in list(self._connections):
                connection.check_patience(loop.time())


def _replay(path: Path) -> tuple[GatewayState, int]:
    state, last_request = GatewayState(), 0
    for record in read_log(path):
        if isinstance(record, EffectApplied):
            apply(state, record.effect)
        elif isinstance(record, RequestReceived):
            last_request = record.request
    return state, last_request


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    listener.setblocking(False)
    return listener
