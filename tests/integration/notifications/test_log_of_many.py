"""The log of a webhook with very many deliveries: PostgreSQL reads what it gives, not all that there is."""

import asyncpg
import pytest

from services.notifications.domain.hook import Hook
from services.notifications.store import log
from tests.integration.notifications.desk import ORGANIZATION, Desk
from tests.integration.rows_read import rows_read

MANY = 20_000
FEW = 500
_FILL = """INSERT INTO notifications.delivery (organization_id, id, webhook_id, event_id, event, body, created_at,
        deadline_at, status, due_at, ended_at)
    SELECT $1, gen_random_uuid(), $2, 'event ' || n, 'webhook.test', '{}', now() - n * interval '1 second', now(),
        CASE WHEN n = $3 THEN 'failed' ELSE 'delivered' END, now(), now()
    FROM generate_series(1, $3) AS n"""


@pytest.fixture
async def full(desk: Desk, database: str) -> Hook:
    """A webhook that took very many, before which the oldest one failed."""
    hook, _ = await desk.register("https://hooks.example")
    owner = await asyncpg.connect(database)
    await owner.execute(_FILL, ORGANIZATION, hook.id, MANY)
    await owner.execute("ANALYZE notifications.delivery")
    await owner.close()
    return hook


@pytest.mark.parametrize(("status", "found"), [("failed", 1), ("waiting", 0), ("delivered", 10), (None, 10)])
async def test_a_page_of_one_status_reads_little_more_than_it_gives(
    desk: Desk, full: Hook, status: str | None, found: int
) -> None:
    async with desk.database.begin() as connection:
        given = await log.page(
            connection, organization_id=ORGANIZATION, webhook_id=full.id, status=status, before=None, limit=10
        )
        read = await rows_read(connection, "notifications.delivery")

    assert len(given) == found
    assert read < FEW
