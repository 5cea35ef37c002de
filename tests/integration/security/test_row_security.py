"""The second wall: the catalog says that every table has it, and a transaction sees what it was opened for."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.platform.database import Database, serve
from services.platform.migrate import READER_ROLE
from services.platform.row_security import VIEW_ROLE, setting_of
from services.platform.schema_state import role_of, schemas

ROLES = [READER_ROLE, VIEW_ROLE, *(role_of(schema) for schema in schemas())]


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def books(database: str, owner: asyncpg.Connection) -> AsyncIterator[Database]:
    """The rules' own pool as the ingress has it, over one row of each of two organizations."""
    await owner.execute("INSERT INTO rules.rule_book VALUES ('acme', 1), ('globex', 2)")
    await owner.execute("INSERT INTO inventory.environments VALUES ('acme', '{a,b}', now(), 'x')")
    await owner.execute("INSERT INTO inventory.environments VALUES ('globex', '{a,b}', now(), 'x')")
    pool = Database(database, role=role_of("rules"), application_name="test", pool_size=1)
    yield pool
    await pool.close()


async def visible(pool: Database, organizations: list[str] | None = None, table: str = "rules.rule_book") -> list[str]:
    async with pool.begin(organizations=organizations) as connection:
        return sorted(await connection.scalars(text(f"SELECT organization_id FROM {table}")))


async def test_every_table_that_has_an_organization_stands_behind_the_wall(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity, c.relforcerowsecurity, "
        "(SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
        "AND a.attname = 'organization_id' WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1)",
        schemas(),
    )

    assert len(rows) > 15
    assert [row["name"] for row in rows if not (row["relrowsecurity"] and row["relforcerowsecurity"])] == []
    assert [row["name"] for row in rows if row["policies"] != 1] == []


async def test_a_partition_made_later_stands_behind_the_wall(owner: asyncpg.Connection) -> None:
    await owner.execute("SET ROLE promotion_promotion")
    assert await owner.fetchval("SELECT promotion.make_history_partition('2031-05-01')")
    await owner.execute("RESET ROLE")

    row = await owner.fetchrow(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'promotion.history_2031_05'::regclass"
    )
    assert row is not None
    assert row["relrowsecurity"]
    assert row["relforcerowsecurity"]


async def test_the_services_roles_own_no_table_and_pass_no_wall(owner: asyncpg.Connection) -> None:
    roles = await owner.fetch(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles "
        "WHERE rolname = ANY($1)",
        ROLES,
    )
    owned = await owner.fetch(
        "SELECT relname, relkind FROM pg_class WHERE pg_get_userbyid(relowner) = ANY($1) "
        "AND NOT (relkind = 'v' AND pg_get_userbyid(relowner) = $2)",
        ROLES,
        VIEW_ROLE,
    )

    assert len(roles) == len(ROLES)
    assert [row["rolname"] for row in roles if any(row[name] for name in row.keys() if name != "rolname")] == []  # noqa: SIM118
    assert owned == []


async def test_every_published_view_is_owned_by_a_role_that_the_wall_holds_for(owner: asyncpg.Connection) -> None:
    owners = await owner.fetch(
        "SELECT c.relname, pg_get_userbyid(c.relowner) AS owner FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname = ANY($1)",
        schemas(),
    )

    assert len(owners) > 5
    assert {row["owner"] for row in owners} == {VIEW_ROLE}


async def test_a_transaction_for_nobody_sees_nothing_before_and_after_one_for_somebody(books: Database) -> None:
    fresh = await visible(books)
    served = await visible(books, ["acme"])
    afterwards = await visible(books)

    assert (fresh, served, afterwards) == ([], ["acme"], [])


async def test_a_transaction_sees_what_it_was_opened_for(books: Database) -> None:
    assert await visible(books, ["acme"]) == ["acme"]
    assert await visible(books, ["globex", "acme"]) == ["acme", "globex"]
    assert await visible(books, []) == []
    assert await visible(books, ["initech"]) == []


async def test_another_service_s_view_shows_no_more(books: Database) -> None:
    assert await visible(books, ["acme"], "inventory.published_environments") == ["acme"]
    assert await visible(books, None, "inventory.published_environments") == []


async def test_a_request_sees_its_own_organization(books: Database) -> None:
    serve("globex")

    assert await visible(books) == ["globex"]


async def test_a_service_by_itself_sees_all_and_a_batch_its_own(database: str, books: Database) -> None:
    alone = Database(database, role=role_of("rules"), application_name="test", pool_size=1, every_organization=True)
    serve("globex")

    everything, batch, again = await visible(alone), await visible(alone, ["acme"]), await visible(alone)
    await alone.close()

    assert (everything, batch, again) == (["acme", "globex"], ["acme"], ["acme", "globex"])


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO rules.rule_book VALUES ('globex2', 1)",
        "UPDATE rules.rule_book SET organization_id = 'globex2' WHERE organization_id = 'acme'",
    ],
)
async def test_nobody_writes_into_another_organization(books: Database, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with books.begin(organizations=["acme"]) as connection:
            await connection.execute(text(statement))


async def test_a_statement_that_forgets_its_organization_changes_nobody_else(
    books: Database, owner: asyncpg.Connection
) -> None:
    async with books.begin(organizations=["acme"]) as connection:
        await connection.execute(text("UPDATE rules.rule_book SET revision = 99"))

    rows = await owner.fetch("SELECT organization_id, revision FROM rules.rule_book ORDER BY 1")
    assert [tuple(row) for row in rows] == [("acme", 99), ("globex", 2)]


@pytest.mark.parametrize("organization", ["*", "acme,globex", ","])
def test_no_organization_is_named_so_that_it_opens_others(organization: str) -> None:
    with pytest.raises(ValueError, match="not the id"):
        setting_of([organization])
