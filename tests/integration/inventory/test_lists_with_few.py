"""Lists of which there are few among very many deployments: PostgreSQL reads what it gives, not all that there is."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.inventory.store import agents, deployments
from services.platform.database import Database
from tests.integration.rows_read import rows_read

MANY = 20_000
FEW = 500
_FILL = """INSERT INTO inventory.deployment (organization_id, gateway_id, deployment_id, agent_id, environment, version,
        status, deployed_at, succeeded_at, active_since, changed_at)
    SELECT 'acme', 'gw-staging', 'dep-' || n, 'agent-' || n, 'staging', '1.0.0', 'active', i.at, i.at, i.at, i.at
    FROM generate_series(1, $1) AS n, LATERAL (SELECT now() - n * interval '1 second' AS at) AS i"""
_FEW = """INSERT INTO inventory.deployment (organization_id, gateway_id, deployment_id, agent_id, environment, version,
        status, deployed_at, failed_at, changed_at)
    SELECT 'acme', 'gw-staging', 'dep-0', 'agent-0', 'staging', '1.0.0', 'failed', i.at, i.at, i.at
    FROM (SELECT now() - interval '1 day' AS at) AS i
"""


@pytest.fixture
async def full(database: str) -> AsyncIterator[Database]:
    """Inventory with very many deployments live in staging, and one that failed."""
    owner = await asyncpg.connect(database)
    await owner.execute(_FILL, MANY)
    await owner.execute(_FEW)
    await owner.execute("ANALYZE inventory.deployment")
    await owner.close()
    pool = Database(database, role="promotion_inventory", application_name="test", every_organization=True)
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, 10),
        ({"status": "active"}, 10),
        ({"status": "failed"}, 1),
        ({"status": "retired"}, 0),
        ({"environment": "staging"}, 10),
        ({"environment": "production"}, 0),
        ({"gateway_id": "gw-staging"}, 10),
        ({"gateway_id": "gw-production"}, 0),
        ({"agent_id": "agent-7"}, 1),
        ({"agent_id": "nobody"}, 0),
    ],
)
async def test_a_list_reads_little_more_than_it_gives(full: Database, filters: dict[str, str], found: int) -> None:
    async with full.begin(organizations={"acme"}) as connection:
        given = await deployments.page(connection, organization_id="acme", filters=filters, before=None, limit=10)
        read = await rows_read(connection, "inventory.deployment")

    assert len(given) == found
    assert found <= read < FEW


@pytest.mark.parametrize(("after", "found"), [("", 10), ("agent-9", 10), ("agent-zzz", 0)])
async def test_a_page_of_the_board_reads_few_more_deployments_than_it_names_agents(
    full: Database, after: str, found: int
) -> None:
    async with full.begin(organizations={"acme"}) as connection:
        given = await agents.page(connection, "acme", part="", only=None, moving=False, after=after, limit=10)
        read = await rows_read(connection, "inventory.deployment")

    assert len(given) == found
    assert found <= read < FEW
