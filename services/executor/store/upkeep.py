"""What time brings: executions past all hope, outcomes that nobody took, and how much waits."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.executor.domain.announcement import Finished
from services.executor.domain.execution import Execution
from services.executor.store.rows import (
    ABANDONABLE,
    EXECUTION_COLUMNS,
    FINISHED_COLUMNS,
    UNFINISHED,
    columns,
    to_execution,
    to_finished,
)

BATCH = 500
LONGEST_ANNOUNCE_SECONDS = 60
COUNTED_UP_TO = 10_000

_CLAIM_HOPELESS = text(f"""
    WITH due AS MATERIALIZED (
        SELECT organization_id, promotion_id FROM executor.execution
        WHERE {ABANDONABLE} AND give_up_at <= :now AND (due_at <= :now OR NOT leased)
        ORDER BY give_up_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    )
    UPDATE executor.execution AS e SET
        doubtful = e.doubtful OR e.status = 'calling', epoch = e.epoch + 1, leased = true, due_at = :lease_until
    FROM due WHERE e.organization_id = due.organization_id AND e.promotion_id = due.promotion_id
    RETURNING {columns(EXECUTION_COLUMNS, alias="e")}
""")  # noqa: S608 - constants

# A failure is taken when the promotion has ended; a success when inventory shows the deployment as well. The limits
# keep the planner from reading the others' whole tables for a few rows.
_TAKE = text(f"""
    WITH due AS MATERIALIZED (
        SELECT organization_id, promotion_id FROM executor.execution
        WHERE NOT taken AND status IN ('succeeded', 'failed') AND announce_at <= :now
        ORDER BY announce_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
    ), seen AS (
        SELECT e.organization_id, e.promotion_id,
            ended.id IS NOT NULL AND (e.status = 'failed' OR shown.id IS NOT NULL) AS taken
        FROM due JOIN executor.execution AS e USING (organization_id, promotion_id)
        LEFT JOIN LATERAL (SELECT p.promotion_id AS id FROM promotion.published_promotion AS p
            WHERE p.organization_id = e.organization_id AND p.promotion_id = e.promotion_id
                AND p.status IN ('completed', 'failed', 'rejected') LIMIT 1) AS ended ON true
        LEFT JOIN LATERAL (SELECT d.deployment_id AS id FROM inventory.published_deployment AS d
            WHERE d.organization_id = e.organization_id AND d.gateway_id = e.gateway_id
                AND d.deployment_id = e.promotion_id::text LIMIT 1) AS shown ON true
    )
    UPDATE executor.execution AS e SET
        taken = seen.taken,
        announcements = e.announcements + 1,
        announce_at = cast(:now AS timestamptz) + least(make_interval(secs => {LONGEST_ANNOUNCE_SECONDS}),
            cast(:after AS interval) * 2 ^ least(e.announcements, 10))
    FROM seen WHERE e.organization_id = seen.organization_id AND e.promotion_id = seen.promotion_id
    RETURNING {columns(FINISHED_COLUMNS, alias="e")}, e.taken
""")  # noqa: S608 - constants

_BACKLOG = text(f"""
    SELECT count(*) FROM (SELECT FROM executor.execution
        WHERE {UNFINISHED} AND due_at <= :now AND NOT leased LIMIT {COUNTED_UP_TO}) AS due
""")  # noqa: S608 - constants


async def claim_hopeless(connection: AsyncConnection, *, now: datetime, lease_until: datetime) -> list[Execution]:
    """Lease what has passed the moment at which even fencing is given up, whether its gateway is called or not."""
    rows = await connection.execute(_CLAIM_HOPELESS, {"now": now, "lease_until": lease_until})
    return [to_execution(row) for row in rows]


async def untaken(connection: AsyncConnection, *, now: datetime, after: timedelta) -> list[Finished]:
    """Give the outcomes that are due to be reported again; note those that were taken, and ask no more for them."""
    rows = await connection.execute(_TAKE, {"now": now, "after": after})
    return [to_finished(row) for row in rows if not row.taken]


async def count_backlog(connection: AsyncConnection, *, now: datetime) -> int:
    """Count what is due and held by nobody."""
    return int(await connection.scalar(_BACKLOG, {"now": now}) or 0)
