"""Parts of agents' names: found among very many without reading all of them, and each name noted once."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import DeploymentCompleted, Event
from services.inventory.consumer import apply
from services.inventory.store import agents
from services.platform.database import Database
from services.platform.migrate import migrate_async
from tests.integration.rows_read import rows_read

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANY = 23_000
FEW = 100
_FILL = """INSERT INTO inventory.deployment (organization_id, gateway_id, deployment_id, agent_id, environment, version,
        status, deployed_at, succeeded_at, active_since, retired_at, changed_at)
    SELECT organization, 'gw', 'dep-' || name, name, 'staging', '1', status, now(), now(),
        CASE status WHEN 'active' THEN now() END, CASE status WHEN 'retired' THEN now() END, now()
    FROM unnest($1::text[], $2::text[], $3::text[]) AS d(organization, name, status)"""
# In the order of their names: first those that few look for, then those that share a part, then single ones.
NAMES = [
    *(f"first-{number:05}" for number in range(agents.NEXT_NAMES)),
    *(f"many-{number:05}" for number in range(MANY)),
    *(f"some-{number:03}" for number in range(300)),
    "zoo-KeePer-1", "zoo-keeper-2", "zoo-warden",
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(postgres_server: Any, migrated_template: str) -> Any:
    postgres_server.create_database("names_of_agents", template=migrated_template)
    yield postgres_server.dsn_for("names_of_agents")
    postgres_server.drop_database("names_of_agents")


@pytest.fixture
async def full(filled: str) -> AsyncIterator[Database]:
    """Inventory with very many agents, after a quiet hour in which there was none."""
    owner = await asyncpg.connect(filled)
    if not await owner.fetchval("SELECT EXISTS (SELECT FROM inventory.deployment)"):
        await owner.execute("ANALYZE inventory.deployment; ANALYZE inventory.agent_names")
        await owner.execute(_FILL, ["acme"] * len(NAMES), NAMES, ["active"] * len(NAMES))
        await owner.execute(_FILL, ["acme", "globex"], ["zoo-keeper-0", "zoo-keeper-3"], ["retired", "active"])
    await owner.close()
    pool = Database(filled, role="promotion_inventory", application_name="test", every_organization=True)
    yield pool
    await pool.close()


async def page(connection: AsyncConnection, part: str, *, after: str = "", limit: int = 10) -> list[str]:
    return await agents.page(connection, "acme", part=part, only=None, moving=False, after=after, limit=limit)


@pytest.mark.parametrize(
    ("part", "after", "found"),
    [
        ("nobody", "", []),
        ("keeper", "", ["zoo-KeePer-1", "zoo-keeper-2"]),
        ("KEEPER", "zoo-KeePer-1", ["zoo-keeper-2"]),
        ("zoo-keeper", "zoo-zzz", []),
        ("w", "some-", ["zoo-warden"]),
        ("-wa", "", ["zoo-warden"]),
        ("-29", "", [f"some-{number:03}" for number in range(290, 300)]),
        ("ome-", "", [f"some-{number:03}" for number in range(10)]),
        ("%", "", []),
        ("_", "", []),
        ("1\nzoo", "", []),
        ("ö", "", []),
        ("first-0", "", NAMES[:10]),
    ],
)
async def test_a_part_of_a_name_is_found_without_reading_every_agent(
    full: Database, part: str, after: str, found: Sequence[str]
) -> None:
    async with full.begin(organizations={"acme"}) as connection:
        given = await page(connection, part, after=after)
        read = await rows_read(connection, "inventory.deployment")
        rows_of_names = await rows_read(connection, "inventory.agent_names")

    assert given == list(found)
    assert read <= agents.NEXT_NAMES + FEW
    assert rows_of_names < len(NAMES) / 50


async def test_what_more_have_than_are_sought_is_found_in_order(full: Database) -> None:
    async with full.begin(organizations={"acme"}) as connection:
        given = await page(connection, "any-")

    assert given == [f"many-{number:05}" for number in range(10)]


async def test_pages_of_what_is_sought_leave_nothing_out(full: Database) -> None:
    given: list[str] = []
    async with full.begin(organizations={"acme"}) as connection:
        while following := await page(connection, "oME-1", after=given[-1] if given else "", limit=7):
            given += following

    assert given == [f"some-{number}" for number in range(100, 200)]


def completed(agent: str, number: int, *, organization: str = "acme", gateway: str = "gw", **fields: Any) -> Event:
    data = DeploymentCompleted.model_validate(
        {
            "organization_id": organization,
            "deployment_id": f"{agent}-{number}",
            "agent_id": agent,
            "environment": "staging",
            "gateway_id": gateway,
            "version": "1",
            "status": "succeeded",
            "deployed_at": NOON + timedelta(minutes=number),
            **fields,
        }
    )
    return Event(
        topic="deployment.completed",
        key=data.deployment_id,
        id=f"{organization}-{data.deployment_id}-{data.status}",
        source="/ci",
        subject=data.deployment_id,
        time=data.deployed_at,
        data=data,
    )


async def take(database: str, *events: Event) -> int:
    """Announce them in one batch; give how many deployments PostgreSQL read for it."""
    pool = Database(database, role="promotion_inventory", application_name="test", every_organization=True)
    async with pool.begin() as connection:
        await apply(connection, events, NOON + timedelta(days=1))
        read = await rows_read(connection, "inventory.deployment")
    await pool.close()
    return read


async def noted(database: str) -> list[tuple[str, str]]:
    owner = await asyncpg.connect(database)
    rows = await owner.fetch(
        r"SELECT organization_id, string_to_table(names, E'\n') AS name FROM inventory.agent_names ORDER BY 1, 2"
    )
    await owner.close()
    return [(row["organization_id"], row["name"]) for row in rows]


async def test_each_agent_is_noted_once_however_often_and_wherever_it_is_deployed(database: str) -> None:
    one, two = completed("reader", 1), completed("writer", 1)
    await take(
        database, one, two, completed("reader", 2, gateway="other"), completed("reader", 1, organization="globex")
    )
    await take(database, one, completed("reader", 3), completed("checker", 1), completed("checker", 2))
    await take(database, completed("writer", 1, status="failed"), completed("idler", 5, status="removed"))

    assert await noted(database) == [
        ("acme", "checker"), ("acme", "idler"), ("acme", "reader"), ("acme", "writer"), ("globex", "reader"),
    ]  # fmt: skip


async def test_many_new_agents_at_once_are_all_noted_in_rows_that_fit_a_page(database: str) -> None:
    names = [f"{'Long' * 48}{number:04}" for number in range(100)]
    await take(database, *(completed(name, 1) for name in names))

    assert await noted(database) == [("acme", name) for name in names]
    owner = await asyncpg.connect(database)
    longest = await owner.fetchval("SELECT max(length(names)) FROM inventory.agent_names")
    await owner.close()
    assert longest < sum(map(len, names)) / 2


async def test_a_deployment_of_a_known_agent_is_told_from_that_of_a_new_one_by_few_rows(
    filled: str, full: Database
) -> None:
    await take(filled, *(completed("zz-busy", number) for number in range(300)))

    assert await take(filled, completed("zz-busy", 301), completed("zz-new", 1)) < FEW
    names = [name for _, name in await noted(filled)]
    assert (names.count("zz-busy"), names.count("zz-new")) == (1, 1)


async def test_agents_that_were_there_before_names_were_noted_are_noted_by_the_migration(database: str) -> None:
    await take(database, completed("reader", 1), completed("reader", 2), completed("reader", 1, organization="globex"))
    owner = await asyncpg.connect(database)
    await owner.execute("""DROP TRIGGER deployment_of_new_agent ON inventory.deployment;
        DROP FUNCTION inventory.note_new_agents, inventory.note_agents, inventory.pairs;
        DROP TABLE inventory.agent_names;
        UPDATE inventory.alembic_version SET version_num = 'inventory_0003'""")
    await owner.close()

    await migrate_async(database)

    assert await noted(database) == [("acme", "reader"), ("globex", "reader")]
    await take(database, completed("writer", 1))
    assert await noted(database) == [("acme", "reader"), ("acme", "writer"), ("globex", "reader")]
