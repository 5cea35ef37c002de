"""The ingress as a process of its own: it starts, drains, and says what is wrong with its surroundings."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from studio.local.ports import LOOPBACK
from tests.integration.ingress.conftest import PEPPER


@asynccontextmanager
async def ingress(database: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROMOTION_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ingress",
        env={
            **kept,
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:1",
            "PROMOTION_KEY_PEPPER": PEPPER,
            "PROMOTION_HTTP_PORT": str(port),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


async def status_of(session: aiohttp.ClientSession, port: int, path: str) -> int | None:
    """Give the status, None while nobody listens."""
    try:
        async with session.get(f"http://{LOOPBACK}:{port}{path}") as answer:
            return answer.status
    except aiohttp.ClientConnectionError:
        return None


async def until(session: aiohttp.ClientSession, port: int, path: str, status: int) -> None:
    async with asyncio.timeout(20):
        while await status_of(session, port, path) != status:
            await asyncio.sleep(0.05)


async def test_it_serves_until_it_is_told_to_stop_and_then_goes_quickly(database: str, port: int) -> None:
    async with ingress(database, port) as process, aiohttp.ClientSession() as session:
        await until(session, port, "/readyz", 200)

        process.terminate()
        async with asyncio.timeout(10):
            status = await process.wait()

    assert status == 0


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        yield holder.getsockname()[1]


async def test_a_port_that_is_taken_is_named(database: str, taken: int) -> None:
    async with ingress(database, taken) as process, asyncio.timeout(20):
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert f"{LOOPBACK}:{taken}" in errors.decode().splitlines()[-1]


async def test_an_empty_database_is_not_served(empty_database: str, port: int) -> None:
    async with ingress(empty_database, port) as process, asyncio.timeout(20):
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert "promotion migrate" in errors.decode().splitlines()[-1]


async def test_it_starts_without_a_database_and_says_so(port: int) -> None:
    nowhere = f"postgresql://nobody@{LOOPBACK}:1/nothing"
    async with ingress(nowhere, port) as process, aiohttp.ClientSession() as session, asyncio.timeout(20):
        await until(session, port, "/healthz", 200)
        ready = await status_of(session, port, "/readyz")

        process.terminate()
        status = await process.wait()

    assert (ready, status) == (503, 0)
