"""A database as long use leaves it: what real promotions left is copied until there are as many as asked for.

Every table takes part that tells of promotions or deployments; ids and names are made anew, times moved back, and the
history is chained anew, so that it verifies. It is done as the owner, past triggers, while the services stand still.
"""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from bench.load import ORGANIZATION
from services.promotion.domain.chain import Entry, Head, content, link
from services.promotion.history import month_of

# The copies are spread over so much time before now; facts are kept for 30 days.
SPREAD = timedelta(days=27)
SCHEMAS = ("promotion", "rules", "executor", "inventory")
# Tables whose rows live shorter than the copies are old, or that the history is written into by itself.
_LEFT_OUT = frozenset({"rules.seen_event", "promotion.history"})
_CHUNK = 5_000
_NAMED = frozenset({"promotion_id", "agent_id", "source_deployment_id", "deployment_id", "target_deployment_id"})
_PREPARE = """
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE FUNCTION bench.named(old uuid, copy int) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN md5(old::text || ':' || copy)::uuid;
CREATE FUNCTION bench.named(old text, copy int) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN old ~ '^[0-9a-f]{8}-[0-9a-f]{4}-' THEN bench.named(old::uuid, copy)::text
        ELSE old || '-' || copy END;
CREATE TABLE bench.history AS SELECT h.*, h.evidence::text AS told, p.created_at FROM promotion.history h
    JOIN promotion.promotion p ON p.organization_id = h.organization_id AND p.id = h.promotion_id;
CREATE INDEX ON bench.history (chain_seq);
"""
_COLUMNS = """SELECT format('%I.%I', n.nspname, c.relname) AS name, a.attname AS attribute,
        format_type(a.atttypid, NULL) AS type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY($1)
        AND a.attgenerated = '' AND a.attidentity = ''
    ORDER BY 1, a.attnum"""
_SIZES = """SELECT c.relnamespace::regnamespace || '.' || c.relname AS name, c.reltuples::bigint AS rows
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text = ANY($1) AND c.reltuples >= 1000
    ORDER BY c.reltuples DESC"""
_HISTORY = (
    "promotion_month", "organization_id", "promotion_id", "version", "previous_status", "status", "status_reason",
    "status_message", "actor", "via", "at", "evidence", "chain_seq", "previous_hash", "hash",
)  # fmt: skip


async def fill(dsn: str, promotions: int) -> dict[str, int]:
    """Copy until there are `promotions` promotions or a few more; give how many rows each large table has then."""
    connection = await asyncpg.connect(dsn, server_settings={"app.organizations": "*"})
    try:
        there = int(await connection.fetchval("SELECT count(*) FROM promotion.promotion"))
        copies = max(0, -(-promotions // there) - 1)
        step = SPREAD / max(1, copies)
        await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await connection.execute(_PREPARE)
        for table, columns in (await _tables(connection)).items():
            await connection.execute(_copy(table, columns), copies, step)
        await _chain(connection, copies=copies, step=step)
        await connection.execute("DROP SCHEMA bench CASCADE")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        return {row["name"]: row["rows"] for row in await connection.fetch(_SIZES, list(SCHEMAS))}
    finally:
        await connection.close()


async def _tables(connection: asyncpg.Connection) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(_COLUMNS, list(SCHEMAS)):
        tables.setdefault(row["name"], {})[row["attribute"]] = row["type"]
    return {
        name: columns
        for name, columns in tables.items()
        if name not in _LEFT_OUT and (name == "promotion.promotion" or _NAMED & set(columns))
    }


def _copy(table: str, columns: dict[str, str]) -> str:
    made = ", ".join(_copied(table, name, kind) for name, kind in columns.items())
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {made} "
        f"FROM {table} AS t, generate_series(1, $1::int) AS c(copy), (SELECT $2::interval) AS s(step)"
    )


def _copied(table: str, name: str, kind: str) -> str:
    if name in _NAMED or (table == "promotion.promotion" and name == "id"):
        return f"bench.named(t.{name}, c.copy)"
    return f"t.{name} - c.copy * s.step" if kind == "timestamp with time zone" else f"t.{name}"


async def _chain(connection: asyncpg.Connection, *, copies: int, step: timedelta) -> None:
    """Write the history anew, the oldest copies first, each entry chained to the one before it."""
    await connection.execute(
        "SELECT promotion.make_history_partition(month) FROM (SELECT DISTINCT "
        "date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month FROM promotion.promotion) AS m"
    )
    await connection.execute("TRUNCATE promotion.history")
    head = Head()
    for copy in range(copies, -1, -1):
        async with connection.transaction():
            cursor = await connection.cursor("SELECT * FROM bench.history ORDER BY chain_seq")
            while rows := await cursor.fetch(_CHUNK):
                records = []
                for row in rows:
                    record, head = _entry(row, head, copy=copy, back=copy * step)
                    records.append(record)
                await connection.copy_records_to_table(
                    "history", schema_name="promotion", columns=_HISTORY, records=records
                )
    await connection.execute(
        "UPDATE promotion.chain_head SET seq = $2, hash = $3 WHERE organization_id = $1",
        ORGANIZATION, head.seq, head.hash,
    )  # fmt: skip
    # Who reads the history in its order goes on from its new end.
    await connection.execute("UPDATE notifications.position SET chain_seq = $1", head.seq)
    # What a trigger writes.
    await connection.execute(
        "TRUNCATE inventory.agent_names; SELECT inventory.note_agents(organization_id, array_agg(agent_id)) "
        "FROM (SELECT DISTINCT organization_id, agent_id FROM inventory.deployment) AS known GROUP BY organization_id"
    )
    # Statistics are counted from the oldest promotion on.
    await connection.execute("TRUNCATE promotion.tally, promotion.counted")


def _entry(row: Any, head: Head, *, copy: int, back: timedelta) -> tuple[tuple[Any, ...], Head]:
    entry = Entry(
        organization_id=row["organization_id"],
        promotion_id=named(row["promotion_id"], copy) if copy else row["promotion_id"],
        version=row["version"],
        previous_status=row["previous_status"],
        status=row["status"],
        status_reason=row["status_reason"],
        status_message=row["status_message"],
        actor=row["actor"],
        via=row["via"],
        at=row["at"] - back,
        evidence=row["told"],
    )
    made = link(head, content(entry))
    record = (
        month_of(row["created_at"] - back), entry.organization_id, entry.promotion_id, entry.version,
        entry.previous_status, entry.status, entry.status_reason, entry.status_message, entry.actor, entry.via,
        entry.at, entry.evidence, made.seq, made.previous_hash, made.hash,
    )  # fmt: skip
    return record, Head(made.seq, made.hash)


def named(old: UUID, copy: int) -> UUID:
    """Name a copy as PostgreSQL does it."""
    return UUID(hashlib.md5(f"{old}:{copy}".encode(), usedforsecurity=False).hexdigest())
