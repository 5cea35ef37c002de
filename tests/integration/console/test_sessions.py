"""Sessions in PostgreSQL: they end with their key, at their time, and by signing out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import text

from schemas.vocabulary import Role
from services.platform.database import Database
from services.platform.grants import Grants
from services.platform.identity import create_key, revoke_key
from studio.console.sessions import LIFETIME, Sessions

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def platform(database: str) -> AsyncIterator[Database]:
    opened = Database(database, role="promotion_platform", application_name="test", every_organization=True)
    yield opened
    await opened.close()


async def a_key(platform: Database, *, lifetime: timedelta | None = None) -> str:
    async with platform.begin() as connection:
        key = await create_key(
            connection, organization_id="acme", subject="alice", grants=Grants.of(Role.APPROVER), pepper="p" * 32,
            now=BEGIN, lifetime=lifetime,
        )  # fmt: skip
    return key.split("_")[1]


async def test_a_token_stands_for_the_owner_of_the_key(platform: Database) -> None:
    sessions, key = Sessions(platform, Clock()), await a_key(platform)

    principal = await sessions.find(await sessions.begin(key))

    assert principal is not None
    assert (principal.organization_id, principal.subject, principal.key_id) == ("acme", "alice", key)
    assert principal.may(Role.APPROVER)


@pytest.mark.parametrize("token", ["", "x", "ü" * 40, "a" * 5000, "\x00"])
async def test_other_tokens_stand_for_nobody(platform: Database, token: str) -> None:
    assert await Sessions(platform, Clock()).find(token) is None


async def test_a_session_ends_at_its_time_and_is_swept_out_later(platform: Database, database: str) -> None:
    clock, key = Clock(), await a_key(platform)
    sessions = Sessions(platform, clock)
    token = await sessions.begin(key)

    clock.now = BEGIN + LIFETIME - timedelta(seconds=1)
    before = await sessions.find(token)
    clock.now = BEGIN + LIFETIME
    after = await sessions.find(token)
    await sessions.begin(key)

    assert (before is not None, after) == (True, None)
    assert await _count(database) == 1


async def test_a_session_ends_with_its_key(platform: Database) -> None:
    clock, key = Clock(), await a_key(platform)
    sessions = Sessions(platform, clock)
    token = await sessions.begin(key)

    async with platform.begin() as connection:
        await revoke_key(connection, key, now=clock.now)

    assert await sessions.find(token) is None


async def test_a_session_ends_when_its_key_expires(platform: Database) -> None:
    clock, key = Clock(), await a_key(platform, lifetime=timedelta(hours=1))
    sessions = Sessions(platform, clock)
    token = await sessions.begin(key)

    clock.now = BEGIN + timedelta(hours=1)

    assert await sessions.find(token) is None


async def test_signing_out_ends_this_session_alone(platform: Database) -> None:
    sessions, key = Sessions(platform, Clock()), await a_key(platform)
    here, elsewhere = await sessions.begin(key), await sessions.begin(key)

    await sessions.end(here)
    await sessions.end(here)

    assert await sessions.find(here) is None
    assert await sessions.find(elsewhere) is not None


async def test_the_token_itself_is_nowhere_in_the_database(platform: Database, database: str) -> None:
    sessions = Sessions(platform, Clock())
    token = await sessions.begin(await a_key(platform))

    async with platform.begin() as connection:
        stored = (await connection.execute(text("SELECT id_hash FROM platform.console_session"))).scalar_one()

    assert token.encode() not in bytes(stored)
    assert len(stored) == 32


async def _count(database: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM platform.console_session"))
    finally:
        await connection.close()
