"""Processes that this one started or was told of: when they end, and whether a pid still means the same."""

import asyncio
import subprocess
import time
from collections.abc import Iterable

import psutil

_LOOK_AGAIN_SECONDS = 0.1


async def died(process: subprocess.Popen[bytes]) -> int:
    """Return the exit status as soon as `process` has ended; works in every loop and on every platform."""
    while (status := process.poll()) is None:  # noqa: ASYNC110 - a death sets no event
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return status


def is_alive(process: psutil.Process) -> bool:
    """Whether this very process still runs; one that has ended and was not yet reaped by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_gone(processes: Iterable[psutil.Process], *, patience_seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, whether reaped or not; return those that have not in time."""
    deadline = time.monotonic() + patience_seconds
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [process for process in alive if is_alive(process)]
    return alive
