"""Deletes what is too old, never what is still in force: the latest run of a suite and the latest verdict stay."""

from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

_EVENTS = text(
    "DELETE FROM rules.seen_event WHERE ctid IN "
    "(SELECT ctid FROM rules.seen_event WHERE seen_at < :before LIMIT :limit) RETURNING 1"
)
_HISTORY = text(
    "DELETE FROM rules.fact_history WHERE ctid IN "
    "(SELECT ctid FROM rules.fact_history WHERE minute < :before LIMIT :limit) RETURNING 1"
)
# A run that began before a later one of its suite finished, and is old, can neither be the latest nor hold it back.
_RUNS = text(
    "DELETE FROM rules.test_run WHERE ctid IN (SELECT r.ctid FROM rules.test_run r WHERE r.observed_at < :before "
    "AND EXISTS (SELECT FROM rules.test_run l WHERE l.organization_id = r.organization_id "
    "AND l.deployment_id = r.deployment_id AND l.suite = r.suite AND l.finished AND l.run_id <> r.run_id "
    "AND l.observed_at > r.observed_at AND l.observed_at < :before) LIMIT :limit) RETURNING 1"
)
_VERDICTS = text(
    "DELETE FROM rules.verdict_history WHERE ctid IN (SELECT h.ctid FROM rules.verdict_history h "
    "WHERE h.since < :before AND EXISTS (SELECT FROM rules.verdict v WHERE v.organization_id = h.organization_id "
    "AND v.deployment_id = h.deployment_id AND v.rule_id = h.rule_id AND v.since > h.since) LIMIT :limit) RETURNING 1"
)


async def forget_events(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete notes of events taken before then; tell how many."""
    return await _delete(connection, _EVENTS, before, limit)


async def forget_history(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete facts of minutes before then; tell how many."""
    return await _delete(connection, _HISTORY, before, limit)


async def forget_runs(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete run events before then that a later run of their suite has replaced; tell how many."""
    return await _delete(connection, _RUNS, before, limit)


async def forget_verdicts(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete verdicts that ended before then; tell how many."""
    return await _delete(connection, _VERDICTS, before, limit)


async def _delete(connection: AsyncConnection, statement: TextClause, before: datetime, limit: int) -> int:
    rows = await connection.execute(statement, {"before": before, "limit": limit})
    return len(rows.all())
