"""What is given up, swept out and counted, a bounded number of rows at a time."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifications.store.hooks import ACTIVE

AT_ONCE = 5000

_GIVE_UP = text(f"""
    UPDATE notifications.delivery SET status = 'failed', ended_at = :now, leased = false, epoch = epoch + 1,
        last_error = 'its deadline passed before its turn came; the attempt before: ' || coalesce(last_error, 'none')
    WHERE (organization_id, id) IN (
        SELECT organization_id, id FROM notifications.delivery WHERE status = 'waiting' AND deadline_at < :before
        ORDER BY deadline_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)
""")  # noqa: S608 - constants

_FORGET = text(f"""
    DELETE FROM notifications.delivery WHERE (organization_id, id) IN (
        SELECT organization_id, id FROM notifications.delivery WHERE status <> 'waiting' AND ended_at < :before
        ORDER BY ended_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)
""")  # noqa: S608 - constants

_EMPTY = text(f"""
    DELETE FROM notifications.delivery WHERE (organization_id, id) IN (
        SELECT d.organization_id, d.id FROM notifications.webhook AS h
        JOIN notifications.delivery AS d ON d.organization_id = h.organization_id AND d.webhook_id = h.id
        WHERE h.deleted_at IS NOT NULL LIMIT {AT_ONCE} FOR UPDATE OF d SKIP LOCKED)
""")  # noqa: S608 - constants

_REMOVE = text("""
    DELETE FROM notifications.webhook AS h WHERE h.deleted_at IS NOT NULL AND h.deleted_at < :before
        AND NOT EXISTS (SELECT FROM notifications.delivery AS d
            WHERE d.organization_id = h.organization_id AND d.webhook_id = h.id)
""")

_OVERFLOWING = text(f"""
    SELECT h.organization_id, h.id FROM notifications.webhook AS h
    WHERE {ACTIVE} AND (SELECT count(*) FROM (
        SELECT FROM notifications.delivery AS d WHERE d.organization_id = h.organization_id AND d.webhook_id = h.id
            AND d.status = 'waiting' LIMIT cast(:most AS int) + 1) AS waiting) > :most
""")  # noqa: S608 - constants


async def give_up(connection: AsyncConnection, *, now: datetime, before: datetime) -> int:
    """End deliveries whose deadline was before ``before``; count them."""
    return int((await connection.execute(_GIVE_UP, {"now": now, "before": before})).rowcount)


async def forget(connection: AsyncConnection, *, before: datetime) -> int:
    """Remove deliveries that ended before ``before``; count them."""
    return int((await connection.execute(_FORGET, {"before": before})).rowcount)


async def empty_deleted(connection: AsyncConnection) -> int:
    """Remove deliveries to webhooks that were deleted; count them."""
    return int((await connection.execute(_EMPTY)).rowcount)


async def remove_deleted(connection: AsyncConnection, *, before: datetime) -> None:
    """Remove webhooks that were deleted before ``before`` and have no deliveries any more."""
    await connection.execute(_REMOVE, {"before": before})


async def overflowing(connection: AsyncConnection, *, most: int) -> Sequence[tuple[str, UUID]]:
    """Name the active webhooks for which more than ``most`` deliveries wait."""
    return [(row.organization_id, row.id) for row in await connection.execute(_OVERFLOWING, {"most": most})]
