"""API keys: good as a whole and in time, gone soon after they are revoked, and of no use to who reads the database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from schemas.vocabulary import Role
from services.platform.credentials import MAX_CREDENTIAL_CHARACTERS, Credentials, Unauthenticated
from services.platform.database import Database, serve
from services.platform.grants import Grants
from services.platform.identity import CACHE_SECONDS, KeyRing, create_key, revoke_key
from services.platform.schema_state import role_of

PEPPER = "p" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Database]:
    made = Database(database, role=role_of("platform"), application_name="keys", every_organization=True)
    yield made
    await made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(pool: Database, clock: Clock) -> KeyRing:
    return KeyRing(pool, PEPPER, clock)


async def new(pool: Database, *, lifetime: timedelta | None = None, owner: str | None = None) -> str:
    async with pool.begin() as connection:
        return await create_key(
            connection, organization_id="acme", subject="ci", owner=owner, grants=Grants.of(Role.VIEWER),
            pepper=PEPPER, now=NOW, lifetime=lifetime,
        )  # fmt: skip


async def test_a_key_stands_for_its_holder(pool: Database, ring: KeyRing) -> None:
    principal = await ring.verify(await new(pool, owner="alice"))

    assert principal is not None
    assert (principal.organization_id, principal.subject, principal.via) == ("acme", "alice", "ci")


async def test_only_the_whole_key_opens(pool: Database, ring: KeyRing) -> None:
    key = await new(pool)
    prefix, identifier, secret = key.split("_", 2)

    for wrong in (
        f"{prefix}_{identifier}_{secret[:-1]}", f"{prefix}_{identifier}_", f"{prefix}_{identifier}_{secret}x", secret,
        f"{prefix}_{identifier}", f"PK_{identifier}_{secret}", "", "pk__", f"{key}\x00", f"{key} ", f" {key}", "é",
        f"pk_{identifier[::-1]}_{secret}", f"pk_' OR 1=1 --_{secret}",
    ):  # fmt: skip
        assert await ring.verify(wrong) is None


async def test_another_deployment_s_key_opens_nothing(pool: Database, clock: Clock) -> None:
    assert await KeyRing(pool, "q" * 32, clock).verify(await new(pool)) is None


async def test_a_key_ends_when_it_was_to_end_although_it_was_just_used(
    pool: Database, ring: KeyRing, clock: Clock
) -> None:
    key = await new(pool, lifetime=timedelta(seconds=5))
    before = await ring.verify(key)

    clock.now += timedelta(seconds=5)

    assert before is not None
    assert await ring.verify(key) is None


async def test_a_revoked_key_opens_nothing_ten_seconds_later(pool: Database, ring: KeyRing, clock: Clock) -> None:
    key = await new(pool)
    await ring.verify(key)
    async with pool.begin() as connection:
        await revoke_key(connection, key.split("_")[1], now=clock.now)

    clock.now += timedelta(seconds=CACHE_SECONDS)

    assert await ring.verify(key) is None


async def test_whose_a_key_is_is_found_whoever_is_served_just_then(pool: Database, ring: KeyRing) -> None:
    key = await new(pool)

    serve("globex")

    assert await ring.verify(key) is not None


async def test_the_database_holds_nothing_that_opens(pool: Database) -> None:
    key = await new(pool)

    async with pool.begin() as connection:
        row = (await connection.execute(text("SELECT * FROM platform.api_key"))).one()

    secret = key.split("_", 2)[2].encode()
    assert all(secret not in value for value in row if isinstance(value, bytes))
    assert secret.decode() not in repr(tuple(row))


async def test_without_an_issuer_a_token_is_a_key_that_nobody_has(ring: KeyRing) -> None:
    with pytest.raises(Unauthenticated, match="unknown"):
        await Credentials(ring).verify("eyJhbGciOiJub25lIn0.e30.")


async def test_an_endless_credential_is_not_even_looked_up(ring: KeyRing) -> None:
    with pytest.raises(Unauthenticated, match="longer"):
        await Credentials(ring).verify("pk_a_" + "x" * MAX_CREDENTIAL_CHARACTERS)
