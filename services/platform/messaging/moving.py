"""A broker whose address may become another: what works at one address ends there, and begins anew at the next."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.platform.settings import Settings

LOOK_SECONDS = 1.0

_log = structlog.get_logger()


async def follow(settings: Settings, work: Callable[[], Awaitable[None]]) -> None:
    """Run ``work``, which connects to the broker; cancel it and run it anew whenever the broker has moved.

    A fixed address never moves. Returns or raises as ``work`` does.
    """
    while True:
        address = _address(settings)
        working = asyncio.ensure_future(work())
        moved = asyncio.create_task(_until_other(settings, address))
        try:
            await asyncio.wait([working, moved], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
        finally:
            for task in (working, moved):
                task.cancel()
            await asyncio.gather(working, moved, return_exceptions=True)
        _log.info("broker moved", address=_address(settings))


async def _until_other(settings: Settings, address: str) -> None:
    if settings.kafka_bootstrap_file is None:
        await asyncio.Event().wait()
    while _address(settings) == address:  # noqa: ASYNC110 - a file that is replaced sets no event
        await asyncio.sleep(LOOK_SECONDS)


def _address(settings: Settings) -> str:
    try:
        return settings.bootstrap_servers()
    except OSError:  # not written yet
        return ""
