"""Reads that sum many promotions up: figures by day, and the history of a whole organization, newest first."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LEAD = "extract(epoch FROM completed_at - created_at)"
_WAIT = "extract(epoch FROM approved_at - created_at)"
# Those that were asked for since then; each counts on the day on which it was asked for, approved and ended.
_RECENT = (
    "SELECT status, status_reason, created_at, completed_at, "
    "CASE WHEN requires_approval THEN approved_at END AS approved_at FROM promotion.promotion "
    "WHERE organization_id = :organization AND created_at >= :since "
    "AND (cast(:environment AS text) IS NULL OR target_environment = :environment)"
)


def _median(expression: str, condition: str) -> str:
    return f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {expression}) FILTER (WHERE {condition})"


_DAYS = text(
    f"WITH recent AS ({_RECENT}), "  # noqa: S608
    "asked AS (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS requested FROM recent GROUP BY 1), "
    "ended AS (SELECT (completed_at AT TIME ZONE 'UTC')::date AS day, "
    "count(*) FILTER (WHERE status = 'completed') AS completed, "
    "count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'rejected') AS rejected, "
    f"{_median(_LEAD, 'status = $$completed$$')} AS lead_seconds "
    "FROM recent WHERE completed_at IS NOT NULL GROUP BY 1), "
    "decided AS (SELECT (approved_at AT TIME ZONE 'UTC')::date AS day, "
    f"{_median(_WAIT, 'true')} AS approval_seconds FROM recent WHERE approved_at IS NOT NULL GROUP BY 1) "
    "SELECT day, coalesce(requested, 0) AS requested, coalesce(completed, 0) AS completed, "
    "coalesce(failed, 0) AS failed, coalesce(rejected, 0) AS rejected, lead_seconds, approval_seconds "
    "FROM asked FULL JOIN ended USING (day) FULL JOIN decided USING (day)"
)
_WHOLE = text(
    f"WITH recent AS ({_RECENT}) SELECT {_median(_LEAD, 'status = $$completed$$')} AS lead_seconds, "  # noqa: S608
    f"{_median(_WAIT, 'approved_at IS NOT NULL')} AS approval_seconds FROM recent"
)
_OF_ACTOR = "AND h.actor = :actor"
# There is an index of what people did; services did so much that their newest are found at once.
_OF_PERSON = f"{_OF_ACTOR} AND h.actor NOT LIKE 'service:%'"
_AUDIT = (
    "SELECT h.chain_seq AS sequence, h.promotion_id, p.agent_id, p.target_environment, h.version, h.previous_status, "
    "h.status, h.status_reason, h.status_message, h.actor, h.via, h.at, h.evidence, encode(h.hash, 'hex') AS hash "
    "FROM promotion.history h JOIN promotion.promotion p "
    "ON p.organization_id = h.organization_id AND p.id = h.promotion_id "
    "WHERE h.organization_id = :organization AND h.chain_seq < :before {of_whom} ORDER BY h.chain_seq DESC LIMIT :limit"
)


async def by_day(
    connection: AsyncConnection, organization_id: str, *, since: datetime, environment: str | None
) -> dict[date, Mapping[str, Any]]:
    """Give the figures of each day on which something happened."""
    rows = await connection.execute(
        _DAYS, {"organization": organization_id, "since": since, "environment": environment}
    )
    return {row["day"]: dict(row) for row in rows.mappings()}


async def as_a_whole(
    connection: AsyncConnection, organization_id: str, *, since: datetime, environment: str | None
) -> Mapping[str, float | None]:
    """Give the medians over the whole time."""
    rows = await connection.execute(
        _WHOLE, {"organization": organization_id, "since": since, "environment": environment}
    )
    return dict(rows.mappings().one())


async def audit(
    connection: AsyncConnection, organization_id: str, *, actor: str | None, before: int, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Give the entries before ``before``, newest first."""
    given: dict[str, Any] = {"organization": organization_id, "before": before, "limit": limit}
    of_whom = ""
    if actor is not None:
        given["actor"] = actor
        of_whom = _OF_ACTOR if actor.startswith("service:") else _OF_PERSON
    rows = await connection.execute(text(_AUDIT.format(of_whom=of_whom)), given)
    return [dict(row) for row in rows.mappings()]
