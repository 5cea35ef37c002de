"""Evaluations that the promotion service has not been seen to take: noted, found when due, let go when taken."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass

Key = tuple[str, UUID]

_NOTE = text(
    "INSERT INTO rules.unconfirmed AS u (organization_id, promotion_id, number, due_at, attempts) "
    "SELECT i.*, cast(:due_at AS timestamptz), 0 FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), "
    "cast(:numbers AS int[])) AS i ORDER BY 1, 2 ON CONFLICT (organization_id, promotion_id) "
    "DO UPDATE SET number = excluded.number, due_at = excluded.due_at, attempts = 0 WHERE excluded.number > u.number"
)
# Taken means applied, or past the point where an evaluation matters.
_DUE = text(
    "SELECT u.organization_id, u.promotion_id, u.attempts, coalesce(p.evaluation_number >= u.number "
    "OR p.status IN ('completed', 'failed', 'rejected') OR p.status_reason IN ('executing', 'retrying'), false) "
    "AS taken FROM (SELECT * FROM rules.unconfirmed WHERE due_at <= :now ORDER BY due_at LIMIT :limit "
    "FOR UPDATE SKIP LOCKED) u LEFT JOIN promotion.published_promotion p "
    "ON p.organization_id = u.organization_id AND p.promotion_id = u.promotion_id"
)
_FORGET = text(
    "DELETE FROM rules.unconfirmed u USING unnest(cast(:organizations AS text[]), cast(:ids AS uuid[])) "
    "AS i(organization_id, promotion_id) "
    "WHERE u.organization_id = i.organization_id AND u.promotion_id = i.promotion_id"
)
_POSTPONE = text(
    "UPDATE rules.unconfirmed u SET due_at = i.due_at, attempts = u.attempts + 1 FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:due AS timestamptz[])) "
    "AS i(organization_id, promotion_id, due_at) "
    "WHERE u.organization_id = i.organization_id AND u.promotion_id = i.promotion_id"
)


@dataclass(frozen=True, slots=True)
class Due:
    """An evaluation that is due to be confirmed or repeated."""

    key: Key
    attempts: int
    taken: bool


async def note_unconfirmed(
    connection: AsyncConnection, numbers: Sequence[tuple[Key, int]], *, due_at: datetime
) -> None:
    """Note that evaluations are about to be published."""
    if numbers:
        await connection.execute(
            _NOTE,
            {
                "organizations": [key[0] for key, _ in numbers],
                "ids": [key[1] for key, _ in numbers],
                "numbers": [number for _, number in numbers],
                "due_at": due_at,
            },
        )


async def lock_due(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Due]:
    """Lock and give what is due."""
    rows = await connection.execute(_DUE, {"now": now, "limit": limit})
    return [Due((row.organization_id, row.promotion_id), row.attempts, row.taken) for row in rows]


async def forget(connection: AsyncConnection, keys: Sequence[Key]) -> None:
    """Let go of what was taken."""
    if keys:
        await connection.execute(_FORGET, {"organizations": [key[0] for key in keys], "ids": [key[1] for key in keys]})


async def postpone(connection: AsyncConnection, due: Sequence[tuple[Due, timedelta]], *, now: datetime) -> None:
    """Look at these again after the pause given for each."""
    if due:
        await connection.execute(
            _POSTPONE,
            {
                "organizations": [each.key[0] for each, _ in due],
                "ids": [each.key[1] for each, _ in due],
                "due": [now + pause for _, pause in due],
            },
        )
