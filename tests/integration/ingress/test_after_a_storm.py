"""After a storm nothing of it is kept: no task, no connection, no stream, no memory for each who came."""

import asyncio
import gc
import secrets
import sys
from typing import Any

import aiohttp
from sqlalchemy.pool import QueuePool

from services.ingress.door import LINGER_SECONDS
from tests.integration.ingress.conftest import Door

STORM = 400
# Blocks of memory that a storm may leave behind for each who came; a task or an answer that is kept is many more.
MOST_BLOCKS = 10.0


async def storm(door: Door) -> None:
    """Send everything at once: what is right, strangers, large bodies, streams, and those who do not wait."""
    key = await door.key("admin")
    await asyncio.gather(*(_one(door, number, key) for number in range(STORM)))


async def _one(door: Door, number: int, key: str) -> None:
    kind = number % 5
    headers = {"Authorization": f"Bearer {key if kind else f'pk_{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}'}"}
    if kind == 3:
        async with door.session.get(f"{door.url}/api/v1/stream", headers=headers) as response:
            await response.content.readany()
        return
    body = b'{"x":"' + b"x" * 60_000 + b'"}' if kind == 2 else None
    method = "POST" if body else "GET"
    call = door.session.request(
        method, f"{door.url}/api/v1/promotions", data=body, headers=headers | {"Content-Type": "application/json"},
        timeout=aiohttp.ClientTimeout(total=0.001 if kind == 4 else 30),
    )  # fmt: skip
    try:
        async with call as response:
            await response.read()
    except TimeoutError:
        return


def pools() -> list[Any]:
    """Give the pools of connections of the running ingress."""
    found = [each for each in gc.get_objects() if isinstance(each, QueuePool)]
    assert len(found) >= 5
    return found


async def until_quiet(tasks: int) -> None:
    """Wait until what was left behind has ended."""
    async with asyncio.timeout(120):
        while len(asyncio.all_tasks()) > tasks or any(pool.checkedout() for pool in pools()):
            await asyncio.sleep(LINGER_SECONDS / 20)


async def test_nothing_of_a_storm_is_kept(door: Door) -> None:
    feeds = door.ingress.app.state.feeds
    await storm(door)
    tasks = len(asyncio.all_tasks())
    left = []

    for _ in range(3):
        await storm(door)
        await until_quiet(tasks + 5)
        gc.collect()
        left.append(sys.getallocatedblocks())

    assert (feeds._feeds, feeds._viewers) == ({}, {})
    # Keys that nobody has are remembered for a while, up to so many; nothing else is.
    assert left[2] - left[1] < MOST_BLOCKS * STORM
    assert max(pool.size() + max(0, pool.overflow()) for pool in pools()) <= 10
