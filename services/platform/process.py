"""A service as a process of its own: settings, logs, health port, signals, exit status."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from typing import Protocol

import uvloop

from services.platform.health import serve_health
from services.platform.instance_lock import AlreadyRunning
from services.platform.schema_state import SchemaOutdated
from services.platform.service import Readiness
from services.platform.settings import ConfigurationError, Settings, load_settings
from services.platform.telemetry import configure_logging
from services.platform.tracing.configuration import tracing_from_environment


class CannotListen(OSError):
    """The address to serve on is taken or not ours."""


class Runnable(Protocol):
    """Something that runs until it is told to stop."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until ``stopping`` is set, then drain."""

    async def readiness(self) -> Readiness:
        """Say whether it does its work now."""


def run_process(build: Callable[[Settings], Runnable]) -> None:
    """Run what ``build`` makes of the environment's settings until SIGTERM or SIGINT; exit 2 on bad settings."""
    try:
        settings = load_settings()
        configure_logging(level=settings.log_level, style=settings.log_format)
        with tracing_from_environment(instance=settings.instance):
            service = build(settings)
            _spare_the_collector()
            uvloop.run(_serve(service, settings))
    except (ConfigurationError, SchemaOutdated, AlreadyRunning, CannotListen) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the answer to whoever started the process
        raise SystemExit(2) from None


def _spare_the_collector() -> None:
    # What is there at the start stays, and a batch makes many objects that need no collector: with the defaults a fifth
    # of a busy process's time goes into looking through them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _serve(service: Runnable, settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    health = None
    if settings.health_port is not None:
        health = await serve_health(service.readiness, host=settings.http_host, port=settings.health_port)
    try:
        await service.run(stopping)
    finally:
        if health is not None:
            health.close()
