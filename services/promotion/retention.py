"""Lets go of months of the history, for its owner: the services' role may not.

A month goes whole, with the record of the cut in every organization's chain, in one transaction, or it stays.

Its table is not dropped: it moves to the schema ``promotion_detached``, where nobody but the owner sees it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from services.platform.database import Database
from services.promotion import cuts, history
from services.promotion.domain import chain
from services.promotion.domain.chain import Head
from services.promotion.domain.cuts import Cut, Kept, content

DETACHED = "promotion_detached"
# Longer than PostgreSQL waits before it stops an autovacuum that is in the way, shorter than a request waits.
LOCK_TIMEOUT_MILLISECONDS = 1200
_SHOWN = 3

_MONTHS = text("""
    SELECT month FROM (
        SELECT cast(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''(\\d{4}-\\d\\d-\\d\\d)''\\)') AS date)
            AS month
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = cast('promotion.history' AS regclass)
        UNION SELECT cast(date_trunc('month', promotion_month) AS date) FROM promotion.history_default
    ) AS found WHERE month < :before ORDER BY month
""")
_UNDER_WAY = text(
    "SELECT organization_id, id, status, status_reason, count(*) OVER () AS number FROM promotion.promotion "  # noqa: S608
    f"WHERE status IN ('pending', 'approved') AND created_at < :until ORDER BY created_at LIMIT {_SHOWN}"
)
_OF_MONTH = "promotion_month >= :month AND promotion_month < :next"
_ENTRIES = text(
    "SELECT organization_id, count(*) AS entries, max(chain_seq) AS last FROM promotion.history "  # noqa: S608
    f"WHERE {_OF_MONTH} GROUP BY organization_id ORDER BY organization_id"
)
_LASTS = text(
    "SELECT c.organization_id, l.chain_seq AS last, "  # noqa: S608
    "(SELECT max(k.chain_seq) FROM promotion.history_cut AS k WHERE k.organization_id = c.organization_id) AS cut "
    "FROM promotion.chain_head AS c CROSS JOIN LATERAL (SELECT chain_seq FROM promotion.history "
    f"WHERE {_OF_MONTH} AND organization_id = c.organization_id ORDER BY chain_seq DESC LIMIT 1) AS l"
)
_IMPATIENT = text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}")
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('promotion.history partitions', 0))")
_STOP = text("LOCK TABLE promotion.history IN ACCESS EXCLUSIVE MODE")
_TABLE = text("""
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = cast('promotion.history' AS regclass)
    AND pg_get_expr(c.relpartbound, c.oid) LIKE 'FOR VALUES FROM (''' || cast(:month AS text) || ''')%'
""")
_TAKEN = text("SELECT to_regclass(:name) IS NOT NULL")


class HeldUp(Exception):
    """A month cannot go now, nor one after it; nothing of it has gone."""


class Overtaken(Exception):
    """What was looked at has changed since: look again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A month that may go, verified: a cut for each organization with entries in it, not yet made.

    ``seen`` is what it was made from, of each organization: the last entry of the month and the last cut's link.
    """

    month: date
    cuts: tuple[Cut, ...]
    seen: Mapping[str, tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class Gone:
    """A month that went: where its table is now, and the cuts."""

    month: date
    table: str
    cuts: tuple[Cut, ...]


async def months(database: Database, *, before: date) -> Sequence[date]:
    """Give the months before one of which the history has something, oldest first."""
    async with database.begin() as connection:
        return list(await connection.scalars(_MONTHS, {"before": before}))


async def plan(database: Database, month: date, *, now: datetime) -> Plan:
    """Verify all that goes and stays; raises HeldUp, or Overtaken where somebody else lets go of months.

    Transactions are short: nobody waits for a lock of a look at millions of entries.
    """
    if now.astimezone(UTC).date() < _next(month):
        raise HeldUp(f"{month:%Y-%m} is not over")
    async with database.begin() as connection:
        await _require_ended(connection, month)
        rows = (await connection.execute(_ENTRIES, _range(month))).all()
        seen = await _seen(connection, month)
        actor = f"database:{await connection.scalar(text('SELECT session_user'))}"
    made = []
    for row in rows:
        draft = Cut(
            organization_id=row.organization_id,
            month=month,
            head=Head(row.last),
            entries=row.entries,
            kept=0,
            kept_hash=chain.GENESIS,
            actor=actor,
            at=now,
        )
        made.append(await _verified(database, draft))
    return Plan(month, tuple(made), seen)


async def let_go(database: Database, planned: Plan) -> Gone:
    """Let the month go; raises HeldUp or Overtaken where it is not as planned, or an error of a lock that is not free.

    Everything that appends waits meanwhile, which is a few milliseconds. The heads are locked before the table, as by
    those who append.
    """
    async with database.begin() as connection:
        await connection.execute(_IMPATIENT)
        await connection.execute(_ALONE)
        heads = await history.lock_heads(connection, [cut.organization_id for cut in planned.cuts])
        await connection.execute(_STOP)
        await _require_ended(connection, planned.month)
        if await _seen(connection, planned.month) != planned.seen:
            raise Overtaken
        table = await _detach(connection, planned.month)
        moved = {}
        for cut in planned.cuts:
            link = chain.link(heads[cut.organization_id], content(cut))
            await cuts.record(connection, cut, link)
            moved[cut.organization_id] = Head(link.seq, link.hash)
        await history.move_heads(connection, moved)
    return Gone(planned.month, table, planned.cuts)


async def _require_ended(connection: AsyncConnection, month: date) -> None:
    until = datetime.combine(_next(month), time(), UTC)
    rows = (await connection.execute(_UNDER_WAY, {"until": until})).all()
    if rows:
        named = ", ".join(f"{row.id} of {row.organization_id} ({row.status}/{row.status_reason})" for row in rows)
        more = f" and {rows[0].number - len(rows)} more" if rows[0].number > len(rows) else ""
        raise HeldUp(
            f"promotions that were asked for before {_next(month)} have not ended: {named}{more}; let them end, or "
            "cancel them"
        )


async def _seen(connection: AsyncConnection, month: date) -> dict[str, tuple[int, int | None]]:
    rows = await connection.execute(_LASTS, _range(month))
    return {row.organization_id: (row.last, row.cut) for row in rows}


async def _verified(database: Database, draft: Cut) -> Cut:
    """Verify an organization's history up to where ``draft`` cuts it, and give the cut with what is kept."""
    async with database.begin() as connection:
        last_cut = await cuts.latest(connection, draft.organization_id)
    until = max(draft.head.seq, last_cut.head.seq if last_cut else 0)
    reached, kept = Head(), Kept()
    while reached.seq < until:
        limit = min(history.VERIFIED_AT_ONCE, until - reached.seq)
        async with database.begin() as connection:
            page = await history.page(connection, draft.organization_id, after=reached.seq, limit=limit)
        if page.cut != last_cut:
            raise Overtaken
        step = history.follow(page, reached, limit=limit)
        if step.broken is not None:
            raise HeldUp(
                f"the history of {draft.organization_id} does not hold, and a cut would hide it: entry "
                f"{step.broken.seq}: {step.broken.problem}"
            )
        for stored in page.stored:
            if stored.month is None or not draft.month <= stored.month < _next(draft.month):
                kept = kept.and_(stored)
        reached = step.reached
    return replace(draft, head=reached, kept=kept.count, kept_hash=kept.hash)


async def _detach(connection: AsyncConnection, month: date) -> str:
    """Take the month's table out of the history and away from everybody but the owner; give its name."""
    await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {DETACHED}"))
    name = await _free_name(connection, month)
    table: str | None = await connection.scalar(_TABLE, {"month": month.isoformat()})
    statements = (
        _statements_of_a_table(table, name) if table is not None else _statements_of_the_default(name, _range(month))
    )
    for statement in statements:
        await connection.execute(text(statement))
    return f"{DETACHED}.{name}"


def _statements_of_a_table(table: str, name: str) -> list[str]:
    # Enabled and without a policy, row-level security hides it from all but its owner, who has to be able to dump it.
    rename = [f"ALTER TABLE promotion.{table} RENAME TO {name}"] if table != name else []
    return [
        f"ALTER TABLE promotion.history DETACH PARTITION promotion.{table}",
        *rename,
        f"ALTER TABLE promotion.{name} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE promotion.{name} SET SCHEMA {DETACHED}",
    ]


def _statements_of_the_default(name: str, bounds: Mapping[str, date]) -> list[str]:
    """Move what found no table of its month, such as late arrivals, out of the default partition."""
    where = f"promotion_month >= '{bounds['month']}' AND promotion_month < '{bounds['next']}'"
    return [
        f"CREATE TABLE {DETACHED}.{name} (LIKE promotion.history INCLUDING ALL)",
        f"ALTER TABLE {DETACHED}.{name} ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE promotion.history_default DISABLE TRIGGER history_kept",
        f"WITH gone AS (DELETE FROM promotion.history_default WHERE {where} RETURNING *) "  # noqa: S608
        f"INSERT INTO {DETACHED}.{name} SELECT * FROM gone",
        "ALTER TABLE promotion.history_default ENABLE TRIGGER history_kept",
    ]


async def _free_name(connection: AsyncConnection, month: date) -> str:
    """Give the month's name, with a number where some of it went before."""
    first = name = f"history_{month:%Y_%m}"
    number = 1
    while await connection.scalar(_TAKEN, {"name": f"{DETACHED}.{name}"}):
        number += 1
        name = f"{first}_{number}"
    return name


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _range(month: date) -> dict[str, Any]:
    return {"month": month, "next": _next(month)}
