"""PostgreSQL stopped, full, read-only, without connections or locked: 503 with Retry-After in time, then as before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from studio.local.postgres import EmbeddedPostgres
from tests.integration.degraded.calls import ANSWERED_SECONDS, CREATE, READ, TELL, WRITE, call, paused, recovered
from tests.integration.degraded.conftest import DATABASE
from tests.integration.ingress.conftest import Door

REFUSED = {(503, "1")}


async def test_a_server_that_is_stopped_is_a_503_and_found_again(door: Door, server: EmbeddedPostgres) -> None:
    await recovered(door, READ, 200)

    await asyncio.to_thread(server.stop)
    away = await call(door, READ, CREATE, WRITE, TELL)
    alive = await door.call("GET", "/healthz", role=None)
    ready = await door.call("GET", "/readyz", role=None)
    await asyncio.to_thread(server.start)

    assert (away.told, away.seconds < ANSWERED_SECONDS) == (REFUSED, True)
    assert (alive.status, ready.status) == (200, 503)
    await recovered(door, READ, 200)
    await recovered(door, TELL, 202)


async def test_a_server_that_hangs_is_a_503_and_found_again(door: Door, server: EmbeddedPostgres) -> None:
    await recovered(door, READ, 200)

    with paused(server.pid):
        away = await call(door, *[READ, CREATE, WRITE, TELL] * 5)

    assert (away.told, away.seconds < ANSWERED_SECONDS) == (REFUSED, True)
    await recovered(door, READ, 200)
    await recovered(door, TELL, 202)


async def test_without_a_free_connection_it_is_a_503_until_there_is_one(
    door: Door, owner: asyncpg.Connection, server: EmbeddedPostgres
) -> None:
    async with _every_connection(server):
        await _end_the_services_sessions(owner)
        away = await call(door, READ, CREATE, WRITE, TELL)
        alive = await door.call("GET", "/healthz", role=None)

    assert (away.told, away.seconds < ANSWERED_SECONDS, alive.status) == (REFUSED, True, 200)
    await recovered(door, READ, 200)
    await recovered(door, TELL, 202)


async def test_a_locked_table_uses_up_a_pool_and_nothing_else(door: Door, owner: asyncpg.Connection) -> None:
    async with owner.transaction():
        await owner.execute("LOCK TABLE promotion.promotion IN ACCESS EXCLUSIVE MODE")
        away = await call(door, *[READ] * 30)
        others = await call(door, TELL, ("GET", "/api/v1/gateways", None))

    assert (away.told, away.seconds < ANSWERED_SECONDS) == (REFUSED, True)
    assert [answer.status for answer in others.answers] == [202, 200]
    await recovered(door, READ, 200)


async def test_a_database_that_only_reads_answers_reads_and_refuses_the_rest(
    door: Door, owner: asyncpg.Connection
) -> None:
    await owner.execute(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = on")
    await _end_the_services_sessions(owner)
    await recovered(door, READ, 200)
    writing = await call(door, WRITE, TELL)
    reading = await call(door, READ, ("GET", "/api/v1/board", None))

    await owner.execute(f"ALTER DATABASE {DATABASE} RESET default_transaction_read_only")
    await _end_the_services_sessions(owner)

    assert writing.told == REFUSED
    assert [answer.status for answer in reading.answers] == [200, 200]
    await recovered(door, TELL, 202)


async def test_a_full_disk_refuses_what_would_be_written_and_nothing_is_accepted_halfway(
    door: Door, owner: asyncpg.Connection
) -> None:
    # The database says what it says when a file cannot grow.
    await owner.execute("""CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$""")
    await owner.execute("CREATE TRIGGER full_disk BEFORE INSERT ON ingress.outbox EXECUTE FUNCTION public.full_disk()")
    before = await owner.fetchval("SELECT count(*) FROM ingress.outbox")

    writing = await call(door, TELL)
    reading = await call(door, READ)
    await owner.execute("DROP FUNCTION public.full_disk CASCADE")

    assert (writing.told, reading.answers[0].status) == (REFUSED, 200)
    assert await owner.fetchval("SELECT count(*) FROM ingress.outbox") == before
    await recovered(door, TELL, 202)


@asynccontextmanager
async def _every_connection(server: EmbeddedPostgres) -> AsyncIterator[None]:
    """Take every connection that the server has, and those that become free, as long as this lasts."""
    async with AsyncExitStack() as held:

        async def take() -> None:
            while True:
                try:
                    connection = await asyncpg.connect(server.dsn_for(DATABASE))
                except (asyncpg.PostgresError, OSError):
                    await asyncio.sleep(0.005)
                else:
                    held.push_async_callback(connection.close)

        takers = [asyncio.create_task(take()) for _ in range(4)]
        try:
            await asyncio.sleep(2)
            yield
        finally:
            for taker in takers:
                taker.cancel()
            await asyncio.gather(*takers, return_exceptions=True)


async def _end_the_services_sessions(owner: asyncpg.Connection) -> None:
    await owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ingress%'")
