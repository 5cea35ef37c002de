"""Facts and test runs: the last of each, and what they were at any minute of the last thirty days."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.rules.domain.facts import Counts, Fact, RunEvent
from services.rules.domain.facts.numbers import decimal_from_text
from services.rules.domain.surroundings import DeploymentKey

# Made once: with these arguments ``json.loads`` makes one for each value.
_DECODER = json.JSONDecoder(parse_float=decimal_from_text, parse_int=decimal_from_text)
FactKey = tuple[str, str, str]

_ARRAYS = (
    "cast(:organizations AS text[]), cast(:ids AS text[]), cast(:fields AS text[]), cast(:values AS text[]), "
    "cast(:observed AS timestamptz[]), cast(:sources AS text[]), cast(:events AS text[])"
)
_NEWER = "(excluded.observed_at, excluded.source, excluded.event_id) > (f.observed_at, f.source, f.event_id)"
_WRITE = (
    "value = excluded.value, observed_at = excluded.observed_at, source = excluded.source, event_id = excluded.event_id"
)
_SAVE = text(
    "INSERT INTO rules.fact AS f (organization_id, deployment_id, field, value, observed_at, source, event_id) "  # noqa: S608
    f"SELECT * FROM unnest({_ARRAYS}) ON CONFLICT (organization_id, deployment_id, field) "
    f"DO UPDATE SET {_WRITE} WHERE {_NEWER}"
)
_SAVE_HISTORY = text(
    "INSERT INTO rules.fact_history AS f (organization_id, deployment_id, field, minute, value, observed_at, source, "  # noqa: S608
    "event_id) SELECT o, d, n, date_trunc('minute', t), v, t, s, e "
    f"FROM unnest({_ARRAYS}) AS i(o, d, n, v, t, s, e) "
    "ON CONFLICT (organization_id, deployment_id, field, minute) "
    f"DO UPDATE SET {_WRITE} WHERE {_NEWER}"
)
_SAVE_RUNS = text(
    "INSERT INTO rules.test_run (organization_id, deployment_id, suite, run_id, finished, observed_at, source, "
    "event_id, passed, failed, errors, skipped, outcome) SELECT * FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS text[]), cast(:suites AS text[]), cast(:runs AS text[]), "
    "cast(:finished AS boolean[]), cast(:observed AS timestamptz[]), cast(:sources AS text[]), "
    "cast(:events AS text[]), cast(:passed AS bigint[]), cast(:failed AS bigint[]), cast(:errors AS bigint[]), "
    "cast(:skipped AS bigint[]), cast(:outcomes AS text[])) ON CONFLICT DO NOTHING"
)
_KEYS = "unnest(cast(:organizations AS text[]), cast(:ids AS text[])) AS i(organization_id, deployment_id)"
_LOAD = text(
    "SELECT f.organization_id, f.deployment_id, f.field, f.value, f.observed_at, f.source, f.event_id "  # noqa: S608
    f"FROM {_KEYS} JOIN rules.fact f USING (organization_id, deployment_id)"
)
_LOAD_AT = text(
    "SELECT DISTINCT ON (f.organization_id, f.deployment_id, f.field) f.organization_id, f.deployment_id, f.field, "  # noqa: S608
    f"f.value, f.observed_at, f.source, f.event_id FROM {_KEYS} "
    "JOIN rules.fact_history f USING (organization_id, deployment_id) WHERE f.observed_at <= :at "
    "ORDER BY f.organization_id, f.deployment_id, f.field, f.minute DESC"
)
_ROWS_AT_ONCE = 1_000
_LOAD_HISTORY = text(
    "SELECT f.organization_id, f.deployment_id, f.field, f.value, f.observed_at, f.source, f.event_id "  # noqa: S608
    f"FROM {_KEYS} JOIN rules.fact_history f USING (organization_id, deployment_id) "
    "WHERE f.observed_at >= :since AND f.field = ANY(cast(:fields AS text[])) ORDER BY f.observed_at LIMIT :limit"
)
_RUN_COLUMNS = (
    "r.organization_id, r.deployment_id, r.suite, r.run_id, r.finished, r.observed_at, r.source, r.event_id, "
    "r.passed, r.failed, r.errors, r.skipped, r.outcome"
)
# Of each suite the latest finished run and what began no earlier than it did: nothing older can matter.
_LOAD_RUNS = text(
    "WITH latest AS (SELECT DISTINCT ON (r.organization_id, r.deployment_id, r.suite) r.organization_id, "  # noqa: S608
    f"r.deployment_id, r.suite, r.run_id, r.observed_at FROM {_KEYS} "
    "JOIN rules.test_run r USING (organization_id, deployment_id) WHERE r.finished AND r.observed_at <= :at "
    "ORDER BY r.organization_id, r.deployment_id, r.suite, r.observed_at DESC, r.source DESC, r.event_id DESC), "
    "began AS (SELECT l.organization_id, l.deployment_id, l.suite, min(r.observed_at) AS since FROM latest l "
    "JOIN rules.test_run r USING (organization_id, deployment_id, suite, run_id) GROUP BY 1, 2, 3) "
    f"SELECT {_RUN_COLUMNS} FROM {_KEYS} JOIN rules.test_run r USING (organization_id, deployment_id) "
    "LEFT JOIN began b ON b.organization_id = r.organization_id AND b.deployment_id = r.deployment_id "
    "AND b.suite = r.suite WHERE r.observed_at <= :at AND (b.since IS NULL OR r.observed_at >= b.since)"
)
_LOAD_ALL_RUNS = text(
    f"SELECT {_RUN_COLUMNS} FROM {_KEYS} JOIN rules.test_run r USING (organization_id, deployment_id) "  # noqa: S608
    "ORDER BY r.observed_at LIMIT :limit"
)
_FAR_AHEAD = datetime(9000, 1, 1, tzinfo=UTC)


async def save_facts(connection: AsyncConnection, facts: Mapping[FactKey, Fact]) -> None:
    """Keep the facts that are newer than what is kept."""
    if facts:
        await connection.execute(_SAVE, _fact_arrays(sorted(facts.items(), key=lambda item: item[0])))


async def save_history(connection: AsyncConnection, facts: Sequence[tuple[FactKey, Fact]]) -> None:
    """Keep the facts of their minutes, one for each minute; ``facts`` hold no two of one field and minute."""
    if facts:
        ordered = sorted(facts, key=lambda item: (item[0], item[1].observed_at))
        await connection.execute(_SAVE_HISTORY, _fact_arrays(ordered))


async def save_runs(connection: AsyncConnection, runs: Sequence[tuple[DeploymentKey, RunEvent]]) -> None:
    """Keep run events; one that is kept already is left as it is."""
    if not runs:
        return
    events = [run for _, run in runs]
    counts = [run.counts for run in events]
    await connection.execute(
        _SAVE_RUNS,
        {
            "organizations": [key[0] for key, _ in runs],
            "ids": [key[1] for key, _ in runs],
            "suites": [run.suite for run in events],
            "runs": [run.run_id for run in events],
            "finished": [run.finished for run in events],
            "observed": [run.observed_at for run in events],
            "sources": [run.source for run in events],
            "events": [run.event_id for run in events],
            "passed": [None if each is None else each.passed for each in counts],
            "failed": [None if each is None else each.failed for each in counts],
            "errors": [None if each is None else each.errors for each in counts],
            "skipped": [None if each is None else each.skipped for each in counts],
            "outcomes": [run.outcome for run in events],
        },
    )


async def load_facts(
    connection: AsyncConnection, keys: Collection[DeploymentKey], *, at: datetime | None = None
) -> dict[DeploymentKey, dict[str, Fact]]:
    """Give the facts of deployments by field, as they are or as they were ``at`` a minute in the past."""
    if not keys:
        return {}
    statement, moment = (_LOAD, {}) if at is None else (_LOAD_AT, {"at": at})
    rows = await connection.execute(statement, {**_key_arrays(keys), **moment})
    found: dict[DeploymentKey, dict[str, Fact]] = {key: {} for key in keys}
    for row in rows:
        found[row.organization_id, row.deployment_id][row.field] = _fact(row)
    return found


async def load_runs(
    connection: AsyncConnection, keys: Collection[DeploymentKey], *, at: datetime | None = None
) -> dict[DeploymentKey, list[RunEvent]]:
    """Give the run events of deployments that matter now, or mattered ``at`` an instant in the past."""
    if not keys:
        return {}
    rows = await connection.execute(_LOAD_RUNS, {**_key_arrays(keys), "at": at or _FAR_AHEAD})
    return _runs(keys, rows)


async def load_fact_history(
    connection: AsyncConnection,
    keys: Collection[DeploymentKey],
    *,
    fields: Collection[str],
    since: datetime,
    limit: int,
) -> dict[DeploymentKey, list[tuple[str, Fact]]]:
    """Give every kept fact of these ``fields`` of deployments from ``since`` on, in the order of their times."""
    rows = await connection.execute(
        _LOAD_HISTORY, {**_key_arrays(keys), "fields": sorted(fields), "since": since, "limit": limit}
    )
    found: dict[DeploymentKey, list[tuple[str, Fact]]] = {key: [] for key in keys}
    for number, row in enumerate(rows):
        if number % _ROWS_AT_ONCE == 0:
            # There may be a hundred thousand, and others wait for the loop.
            await asyncio.sleep(0)
        found[row.organization_id, row.deployment_id].append((row.field, _fact(row)))
    return found


async def load_all_runs(
    connection: AsyncConnection, keys: Collection[DeploymentKey], *, limit: int
) -> dict[DeploymentKey, list[RunEvent]]:
    """Give every kept run event of deployments, in the order of their times."""
    rows = await connection.execute(_LOAD_ALL_RUNS, {**_key_arrays(keys), "limit": limit})
    return _runs(keys, rows)


def _runs(keys: Collection[DeploymentKey], rows: Any) -> dict[DeploymentKey, list[RunEvent]]:
    found: dict[DeploymentKey, list[RunEvent]] = {key: [] for key in keys}
    for row in rows:
        found[row.organization_id, row.deployment_id].append(_run(row))
    return found


def _run(row: Any) -> RunEvent:
    counted = row.passed is not None and row.failed is not None
    return RunEvent(
        suite=row.suite,
        run_id=row.run_id,
        finished=row.finished,
        observed_at=row.observed_at,
        source=row.source,
        event_id=row.event_id,
        counts=Counts(row.passed, row.failed, row.errors or 0, row.skipped or 0) if counted else None,
        outcome=row.outcome,
    )


def _fact(row: Any) -> Fact:
    return Fact(_DECODER.decode(row.value), row.observed_at, row.source, row.event_id)


def _written(value: object) -> str:
    # A decimal's own spelling is JSON, and is kept to the last digit.
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _key_arrays(keys: Collection[DeploymentKey]) -> dict[str, list[str]]:
    ordered = sorted(keys)
    return {"organizations": [key[0] for key in ordered], "ids": [key[1] for key in ordered]}


def _fact_arrays(facts: Sequence[tuple[FactKey, Fact]]) -> dict[str, list[Any]]:
    return {
        "organizations": [key[0] for key, _ in facts],
        "ids": [key[1] for key, _ in facts],
        "fields": [key[2] for key, _ in facts],
        "values": [_written(fact.value) for _, fact in facts],
        "observed": [fact.observed_at for _, fact in facts],
        "sources": [fact.source for _, fact in facts],
        "events": [fact.event_id for _, fact in facts],
    }
