"""Lets go of executions that ended long ago. What may still be live stays: unfenced orphans, and the last success of a
slot, after which the next one is dated.
"""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FORGET = text("""
    WITH old AS MATERIALIZED (
        SELECT e.organization_id, e.promotion_id FROM executor.execution AS e
        WHERE e.taken AND e.finished_at < :before
            AND NOT EXISTS (SELECT FROM executor.orphan AS o WHERE o.organization_id = e.organization_id
                AND o.promotion_id = e.promotion_id AND o.fenced_at IS NULL)
            AND (e.status = 'failed' OR EXISTS (SELECT FROM executor.execution AS l
                WHERE l.slot = e.slot AND l.status = 'succeeded' AND l.finished_at > e.finished_at))
        ORDER BY e.finished_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), fenced AS (
        DELETE FROM executor.orphan AS o USING old
        WHERE o.organization_id = old.organization_id AND o.promotion_id = old.promotion_id
    )
    DELETE FROM executor.execution AS e USING old
    WHERE e.organization_id = old.organization_id AND e.promotion_id = old.promotion_id RETURNING 1
""")


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete executions that ended ``before`` and that nothing needs; tell how many."""
    rows = await connection.execute(_FORGET, {"before": before, "limit": limit})
    return len(rows.all())
