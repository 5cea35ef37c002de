"""Processes that this one started or was told of: when they end, and whether a pid still means the same."""

import asyncio
import subprocess

_LOOK_AGAIN_SECONDS = 0.1


async def died(process: subprocess.Popen[bytes]) -> int:
    """Return the exit status as soon as `process` has ended; works in every loop and on every platform."""
    while (status := process.poll()) is None:  # noqa: ASYNC110 - a death sets no event
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return status
