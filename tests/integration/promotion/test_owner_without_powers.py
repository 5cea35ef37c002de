"""An owner of the database who is no superuser, for whom row-level security holds as for everybody."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.platform.migrate import migrate_async
from studio.local.postgres import EmbeddedPostgres
from tests.integration.promotion.house import House
from tests.integration.promotion.months import JANUARY, entangled, let_go

OWNER = "owner_without_powers"


@pytest.fixture
def owned(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """DSN, as its owner, of an empty database."""
    postgres_server.create_database("owned")
    yield postgres_server.dsn_for("owned")
    postgres_server.drop_database("owned")


async def test_it_lets_go_of_months_and_sees_what_went(owned: str) -> None:
    superuser = await asyncpg.connect(owned)
    await superuser.execute(
        f"DO $$ BEGIN CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD 'x'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    await superuser.execute(f"GRANT SET ON PARAMETER app.organizations TO {OWNER}")
    await superuser.execute(f"ALTER DATABASE owned OWNER TO {OWNER}")
    # Roles belong to the whole server, where another test may have made them.
    for row in await superuser.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE 'promotion\\_%'"):
        await superuser.execute(f"GRANT {row['rolname']} TO {OWNER} WITH ADMIN OPTION")
    parts = urlsplit(owned)
    dsn = f"postgresql://{OWNER}:x@{parts.hostname}:{parts.port}{parts.path}"
    await migrate_async(dsn)
    house = House(owned)
    await entangled(house)

    gone = await let_go(dsn, JANUARY)

    owner = await asyncpg.connect(dsn)
    # As pg_dump looks: it wants all rows or an error.
    await owner.execute("SET row_security = off")
    assert gone.cuts[0].entries == await owner.fetchval(f"SELECT count(*) FROM {gone.table}") == 4
    assert await house.broken_link() is None
    for connection in (owner, superuser):
        await connection.close()
    await house.close()
