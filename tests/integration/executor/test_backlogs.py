"""A backlog after a quiet hour: what PostgreSQL knows of the table is that nothing is under way in it."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.executor.store import leases
from services.executor.store.leases import Wanted
from services.platform.database import Database
from tests.integration.executor.executors import ORGANIZATION, Executor
from tests.integration.rows_read import rows_read

FINISHED, WAITING, ROOM = 500, 2_000, 80
_EXECUTIONS = """INSERT INTO executor.execution (organization_id, promotion_id, agent_id, gateway_id, environment,
        source_deployment_id, version, executing_at, caused_by, received_at, deadline_at, give_up_at, status, due_at,
        finished_at)
    SELECT 'acme', gen_random_uuid(), :kind || n, 'gw-1', 'staging', 'dep-1', '1.0.0', i.now, 'a', i.now, i.now, i.now,
        cast(:status AS text), i.now, CASE WHEN :status = 'succeeded' THEN i.now END
    FROM (SELECT cast(:now AS timestamptz) AS now) AS i, generate_series(1, :many) AS n"""


@pytest.fixture
async def flooded(executor: Executor, database: str) -> Executor:
    """An executor with a backlog of which the statistics say nothing."""
    finished = {"kind": "was-", "status": "succeeded", "now": executor.clock(), "many": FINISHED}
    waiting = {"kind": "is-", "status": "waiting", "now": executor.clock(), "many": WAITING}
    owner = Database(database, role=None, application_name="test owner", pool_size=1)
    async with owner.begin() as connection:
        await connection.execute(text(_EXECUTIONS), finished)
        await connection.execute(text("ANALYZE executor.execution"))
        await connection.execute(text(_EXECUTIONS), waiting)
    await owner.close()
    return executor


async def test_a_claim_reads_little_more_than_it_takes(flooded: Executor) -> None:
    now = flooded.clock()
    wanted = Wanted(ORGANIZATION, "gw-1", ROOM, probe=False, url="http://gw-1", credential=None)

    async with flooded.database.begin() as connection:
        claimed = await leases.claim(connection, [wanted], now=now, lease_until=now + timedelta(seconds=5))
        read = await rows_read(connection, "executor.execution")

    assert len(claimed) == ROOM
    assert ROOM <= read < 12 * ROOM
