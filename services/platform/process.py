"""A service as a process of its own: settings, logs, health port, signals, exit status."""

import asyncio
import signal
import sys
from collections.abc import Callable

from services.platform.health import serve_health
from services.platform.instance_lock import AlreadyRunning
from services.platform.migrate import SchemaOutdated
from services.platform.service import Service
from services.platform.settings import ConfigurationError, Settings, load_settings
from services.platform.telemetry import configure_logging


def run_process(build: Callable[[Settings], Service]) -> None:
    """Run what ``build`` makes of the environment's settings until SIGTERM or SIGINT; exit 2 on bad settings."""
    try:
        settings = load_settings()
        configure_logging(level=settings.log_level, style=settings.log_format)
        asyncio.run(_serve(build(settings), settings))
    except (ConfigurationError, SchemaOutdated, AlreadyRunning) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the answer to whoever started the process
        raise SystemExit(2) from None


async def _serve(service: Service, settings: Settings) -> None:
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
            await health.cleanup()
