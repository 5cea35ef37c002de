"""Orphans: what may be live on a gateway although its execution failed, until the gateway confirms the fence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.executor.domain.execution import Execution, Order
from services.executor.store.rows import ORDER_COLUMNS, columns, to_order

# Of one gateway at a time, so that one that hangs does not fill a batch.
PER_GATEWAY = 4
MAX_ORPHANS = 100


@dataclass(frozen=True, slots=True)
class Orphan:
    """An order that may be live; ``fencing_token`` is the last epoch of its execution.

    It may be live at ``called_url``, which ``called_credential`` (sealed) opened.
    """

    order: Order
    fencing_token: int
    attempts: int
    recorded_at: datetime
    called_url: str | None
    called_credential: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of fencing an orphan: ``fenced_at``, or why not and when to try again."""

    orphan: Orphan
    fenced_at: datetime | None
    due_at: datetime
    error: str | None


_INSERT = text("""
    INSERT INTO executor.orphan (organization_id, promotion_id, gateway_id, fencing_token, recorded_at, due_at)
    SELECT i.*, :now, :now FROM unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[]),
        cast(:gateways AS text[]), cast(:tokens AS bigint[])) AS i
    ON CONFLICT (organization_id, promotion_id) DO NOTHING
""")

_CLAIM = text(f"""
    WITH ranked AS (
        SELECT organization_id, promotion_id,
            row_number() OVER (PARTITION BY organization_id, gateway_id ORDER BY due_at) AS place
        FROM executor.orphan WHERE fenced_at IS NULL AND due_at <= :now
    ), due AS MATERIALIZED (
        SELECT o.organization_id, o.promotion_id
        FROM executor.orphan AS o JOIN ranked USING (organization_id, promotion_id)
        WHERE ranked.place <= {PER_GATEWAY} AND o.fenced_at IS NULL AND o.due_at <= :now
        ORDER BY o.due_at LIMIT {MAX_ORPHANS} FOR UPDATE OF o SKIP LOCKED
    ), claimed AS (
        UPDATE executor.orphan AS o SET due_at = :until, attempts = o.attempts + 1
        FROM due WHERE o.organization_id = due.organization_id AND o.promotion_id = due.promotion_id
        RETURNING o.organization_id, o.promotion_id, o.fencing_token, o.attempts, o.recorded_at
    )
    SELECT {columns(ORDER_COLUMNS, alias="e")}, c.fencing_token, c.attempts, c.recorded_at, e.called_url,
        e.called_credential
    FROM claimed AS c JOIN executor.execution AS e USING (organization_id, promotion_id)
""")  # noqa: S608 - constants

_UPDATE = text("""
    UPDATE executor.orphan AS o SET fenced_at = i.fenced_at, due_at = i.due_at, last_error = i.error
    FROM unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[]), cast(:fenced_at AS timestamptz[]),
        cast(:due_at AS timestamptz[]), cast(:errors AS text[]))
        AS i (organization_id, promotion_id, fenced_at, due_at, error)
    WHERE o.organization_id = i.organization_id AND o.promotion_id = i.promotion_id AND o.fenced_at IS NULL
""")

_FORGET_CREDENTIALS = text("""
    UPDATE executor.execution AS e SET called_credential = NULL
    FROM unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[])) AS i (organization_id, promotion_id)
    WHERE e.organization_id = i.organization_id AND e.promotion_id = i.promotion_id
        AND e.called_credential IS NOT NULL
""")

_COUNT = text("SELECT count(*) FROM executor.orphan WHERE fenced_at IS NULL")


async def record(connection: AsyncConnection, executions: Sequence[Execution], *, now: datetime) -> None:
    """Record that these may be live although they failed."""
    if not executions:
        return
    orders = [execution.order for execution in executions]
    await connection.execute(
        _INSERT,
        {
            "organizations": [order.organization_id for order in orders],
            "promotions": [order.promotion_id for order in orders],
            "gateways": [order.gateway_id for order in orders],
            "tokens": [execution.epoch for execution in executions],
            "now": now,
        },
    )


async def claim(connection: AsyncConnection, *, now: datetime, lease: timedelta) -> list[Orphan]:
    """Take due orphans, a few of each gateway; nobody else takes them before ``lease`` has passed."""
    rows = await connection.execute(_CLAIM, {"now": now, "until": now + lease})
    return [
        Orphan(to_order(row), row.fencing_token, row.attempts, row.recorded_at, row.called_url, row.called_credential)
        for row in rows
    ]


async def write(connection: AsyncConnection, attempts: Sequence[Attempt]) -> None:
    """Write what came of fencing."""
    orders = [attempt.orphan.order for attempt in attempts]
    await connection.execute(
        _UPDATE,
        {
            "organizations": [order.organization_id for order in orders],
            "promotions": [order.promotion_id for order in orders],
            "fenced_at": [attempt.fenced_at for attempt in attempts],
            "due_at": [attempt.due_at for attempt in attempts],
            "errors": [attempt.error for attempt in attempts],
        },
    )
    fenced = [attempt.orphan.order for attempt in attempts if attempt.fenced_at is not None]
    if fenced:
        await connection.execute(
            _FORGET_CREDENTIALS,
            {
                "organizations": [order.organization_id for order in fenced],
                "promotions": [order.promotion_id for order in fenced],
            },
        )


async def count(connection: AsyncConnection) -> int:
    """Count the orphans that are not fenced yet."""
    return int(await connection.scalar(_COUNT) or 0)
