"""Figures over time: what happened is counted half a minute at a time, once more when its hour is over, and its day.

What is recorded late (an event that lay on Kafka) is missed by its half minute, and found by its hour or its day. What
is not yet counted is counted where it is asked for. Medians are those of a logarithmic scale: within half a percent.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import exp, log
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# One bucket is this much longer than the one before.
_STEP = log(1.01)
_SHORTEST_SECONDS = 0.001
_HALF_MINUTE, _HOUR, _DAY = timedelta(seconds=30), timedelta(hours=1), timedelta(days=1)
# Who writes may be so much behind the clock.
_HALF_MINUTE_SETTLES = timedelta(minutes=1)
_HOUR_SETTLES = timedelta(minutes=10)
_DAY_SETTLES = timedelta(days=1)
# Whose hours are counted no further than that has them counted first, one after the other.
_PARTLY = timedelta(hours=3)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _bucket(end: str) -> str:
    seconds = f"greatest(extract(epoch FROM {end} - created_at), {_SHORTEST_SECONDS})"
    return f"floor(ln({seconds}) / {_STEP})::int"


def _happened(organization: str, since: str, until: str) -> str:
    # An index for each kind.
    return f"""
    SELECT target_environment, created_at AS at, 'requested' AS what, cast(NULL AS int) AS bucket
    FROM promotion.promotion WHERE organization_id = {organization} AND created_at >= {since} AND created_at < {until}
    UNION ALL
    SELECT target_environment, approved_at, 'approved', {_bucket("approved_at")}
    FROM promotion.promotion WHERE organization_id = {organization} AND requires_approval
    AND approved_at >= {since} AND approved_at < {until}
    UNION ALL
    SELECT target_environment, completed_at, status, CASE status WHEN 'completed' THEN {_bucket("completed_at")} END
    FROM promotion.promotion WHERE organization_id = {organization}
    AND completed_at >= {since} AND completed_at < {until}
"""  # noqa: S608


_COUNT = text(
    "INSERT INTO promotion.tally (organization_id, since, hours, target_environment, what, bucket, times) "  # noqa: S608
    "SELECT :organization, :since, :hours, target_environment, what, bucket, count(*) "
    f"FROM ({_happened(':organization', ':since', ':until')}) AS h GROUP BY target_environment, what, bucket"
)
_FORGET = text(
    "DELETE FROM promotion.tally WHERE organization_id = :organization AND since >= :since AND since < :until"
)
# Whoever has a history has something to count; the first day is that of the oldest promotion.
_BEGIN = text(
    "INSERT INTO promotion.counted (organization_id, until) "
    "SELECT h.organization_id, date_trunc('day', first.created_at, 'UTC') FROM promotion.chain_head AS h "
    "CROSS JOIN LATERAL (SELECT p.created_at FROM promotion.promotion AS p "
    "WHERE p.organization_id = h.organization_id ORDER BY p.created_at, p.id LIMIT 1) AS first "
    "WHERE NOT EXISTS (SELECT FROM promotion.counted AS c WHERE c.organization_id = h.organization_id) "
    "ON CONFLICT DO NOTHING"
)
_NEXT = text(
    "SELECT organization_id, until FROM promotion.counted WHERE until <= :over "
    "ORDER BY until LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_COUNTED = text("UPDATE promotion.counted SET until = :until WHERE organization_id = :organization")
_BY_HOUR = text(
    "SELECT c.organization_id, date_trunc('day', t.since, 'UTC') AS day FROM promotion.tally AS t "
    "JOIN promotion.counted AS c USING (organization_id) WHERE t.hours = 1 AND t.since < :over "
    "ORDER BY t.since LIMIT 1 FOR UPDATE OF c SKIP LOCKED"
)
# Of all organizations at once. Where nothing happened nothing is written; OFFSET has the indexes looked up for each.
_COUNT_PARTS = text(
    "WITH due AS MATERIALIZED (SELECT organization_id, greatest(until, partly) AS since FROM promotion.counted "  # noqa: S608
    "WHERE greatest(until, partly) < :over AND greatest(until, partly) >= :recent FOR UPDATE SKIP LOCKED), "
    "parts AS (INSERT INTO promotion.tally (organization_id, since, hours, target_environment, what, bucket, times) "
    "SELECT d.organization_id, greatest(d.since, date_trunc('hour', at, 'UTC')), 0, target_environment, what, bucket, "
    f"count(*) FROM due AS d CROSS JOIN LATERAL ({_happened('d.organization_id', 'd.since', ':over')} OFFSET 0) AS h "
    "GROUP BY 1, 2, 4, 5, 6 RETURNING organization_id) "
    "UPDATE promotion.counted AS c SET partly = :over FROM (SELECT DISTINCT organization_id FROM parts) AS p "
    "WHERE c.organization_id = p.organization_id"
)
# Where the counted ends is read with what is counted, lest an hour be counted in between.
_READ = text(
    "WITH uncounted AS MATERIALIZED (SELECT greatest(:first, (SELECT greatest(until, partly) "  # noqa: S608
    "FROM promotion.counted WHERE organization_id = :organization)) AS since) "
    "SELECT since, what, array_agg(bucket) AS buckets, array_agg(times) AS times FROM ("
    "SELECT since, what, bucket, times FROM promotion.tally "
    "WHERE organization_id = :organization AND since >= :first AND since < (SELECT since FROM uncounted) "
    "AND (cast(:environment AS text) IS NULL OR target_environment = :environment) "
    "UNION ALL "
    "SELECT date_trunc('day', at, 'UTC'), what, bucket, count(*) "
    f"FROM ({_happened(':organization', '(SELECT since FROM uncounted)', ':until')}) AS h "
    "WHERE (cast(:environment AS text) IS NULL OR target_environment = :environment) GROUP BY 1, 2, 3"
    ") AS found GROUP BY since, what"
)


@dataclass(slots=True)
class Figures:
    """What happened in some time: how often each thing, and how often it took how long."""

    times: Counter[str] = field(default_factory=Counter)
    took: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, what: str, buckets: Sequence[int | None], times: Sequence[int]) -> None:
        """Count something that happened so many ``times``, and each took as long as the bucket beside them says."""
        self.times[what] += sum(times)
        took = self.took[what]
        for bucket, number in zip(buckets, times, strict=True):
            if bucket is not None:
                took[bucket] = took.get(bucket, 0) + number

    def median_seconds(self, what: str) -> float | None:
        """Give how long the one in the middle took; None where nothing happened."""
        took = self.took.get(what, Counter())
        left = took.total() / 2
        for bucket, times in sorted(took.items()):
            left -= times
            if left <= 0:
                return exp((bucket + 0.5) * _STEP)
        return None


def summed(figures: Iterable[Figures]) -> Figures:
    """Give the figures of a longer time."""
    whole = Figures()
    for each in figures:
        whole.times.update(each.times)
        for what, took in each.took.items():
            whole.took[what].update(took)
    return whole


async def by_day(
    connection: AsyncConnection, organization_id: str, *, first: datetime, until: datetime, environment: str | None
) -> Mapping[date, Figures]:
    """Give the figures of each day on which something happened, from the beginning of a day on."""
    rows = await connection.execute(
        _READ, {"organization": organization_id, "first": first, "until": until, "environment": environment}
    )
    found: dict[date, Figures] = {}
    for since, what, buckets, times in rows:
        found.setdefault(since.astimezone(UTC).date(), Figures()).add(what, buckets, times)
    return found


async def count(connection: AsyncConnection, *, now: datetime) -> bool:
    """Count one more hour or day that is over, or the half minutes since; tell whether there was anything to count."""
    await connection.execute(_BEGIN)
    if following := (await connection.execute(_NEXT, {"over": now - _HOUR - _HOUR_SETTLES})).one_or_none():
        organization_id, since = following
        whole_day = since.hour == 0 and since + _DAY + _DAY_SETTLES <= now
        until = since + (_DAY if whole_day else _HOUR)
        await _count(connection, organization_id, since=since, until=until)
        await connection.execute(_COUNTED, {"organization": organization_id, "until": until})
        return True
    recent = {"over": _half_minute(now - _HALF_MINUTE_SETTLES), "recent": now - _PARTLY}
    if (await connection.execute(_COUNT_PARTS, recent)).rowcount:
        return True
    settled = (await connection.execute(_BY_HOUR, {"over": _midnight(now - _DAY_SETTLES)})).one_or_none()
    if settled is None:
        return False
    await _count(connection, settled.organization_id, since=settled.day, until=settled.day + _DAY)
    return True


async def _count(connection: AsyncConnection, organization_id: str, *, since: datetime, until: datetime) -> None:
    chunk: dict[str, Any] = {"organization": organization_id, "since": since, "until": until}
    await connection.execute(_FORGET, chunk)
    await connection.execute(_COUNT, {**chunk, "hours": (until - since) // _HOUR})


def _half_minute(moment: datetime) -> datetime:
    return moment - (moment - _EPOCH) % _HALF_MINUTE


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
