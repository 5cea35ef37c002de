"""How much waits to be carried on, and whether that leaves room for more; looked at once a second at most.

What is refused here was not accepted, so that nothing accepted is lost where a broker holds little.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.topics import CONSUMED_BY
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.pressure import Refusal
from services.platform.reports import SILENT_AFTER, Report, latest_reports

LOOK_SECONDS = 1.0
RETRY_AFTER_SECONDS = 2
# What waits for these is no reason to refuse anything: they find in PostgreSQL what the broker dropped.
_FIND_BY_THEMSELVES = frozenset({"notifications"})

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Load:
    """What waits: rows of each outbox, records of each topic by service, and consumers that say nothing any more."""

    outbox_rows: Mapping[str, int]
    lag: Mapping[tuple[str, str], int]
    silent: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """How much may wait; with ``consumers_must_report`` there is no room while one is silent."""

    outbox_rows: int
    lag: int
    consumers_must_report: bool

    def refusal(self, load: Load) -> Refusal | None:
        """Say why ``load`` leaves no room, None where it does."""
        for schema, rows in load.outbox_rows.items():
            if rows >= self.outbox_rows:
                return _refusal(f"{rows} records of {schema} wait to be published; the limit is {self.outbox_rows}")
        for (service, topic), records in load.lag.items():
            if records >= self.lag:
                return _refusal(f"{records} records of {topic} wait for {service}; the limit is {self.lag}")
        if self.consumers_must_report and load.silent:
            return _refusal(f"{load.silent[0]} does not report, and the broker holds little for it")
        return None


@dataclass(slots=True)
class Gauge:
    """Remembers for a second what a look showed; trouble with the look refuses nobody, the work itself will tell."""

    look: Callable[[], Awaitable[Load]]
    room: Room
    elapsed: Callable[[], float] = time.monotonic
    _looked_at: float | None = field(default=None, init=False)
    _refusal: Refusal | None = field(default=None, init=False)
    _looking: asyncio.Task[None] | None = field(default=None, init=False)

    async def __call__(self) -> Refusal | None:
        """Say why no new work is taken now, None where it is."""
        if self._looked_at is None or self.elapsed() - self._looked_at >= LOOK_SECONDS:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            # Who gives up waiting does not end the look of the others.
            await asyncio.shield(self._looking)
        return self._refusal

    async def _look(self) -> None:
        try:
            refusal = self.room.refusal(await self.look())
        except Exception as error:  # noqa: BLE001 - whatever it is, the request's own statements meet it too
            _log.warning("load unknown", error=f"{type(error).__name__}: {error}"[:200])
            refusal = None
        self._refusal, self._looked_at = refusal, self.elapsed()


@dataclass(slots=True)
class LookAround:
    """Looks at the outboxes that this process fills, and at what every service last said of itself."""

    outboxes: Mapping[str, Database]
    reports: Database
    clock: Clock
    exact_from: int
    _since: datetime | None = field(default=None, init=False)

    async def __call__(self) -> Load:
        """Give what waits now."""
        now = self.clock()
        self._since = self._since or now
        rows: dict[str, int] = {}
        for schema, database in self.outboxes.items():
            async with database.begin() as connection:
                rows[schema] = await _waiting(connection, schema, self.exact_from)
        async with self.reports.begin() as connection:
            reports = await latest_reports(connection)
        # After a start the services have as long to speak up as they have ever after.
        return load_of(reports, rows, now=now, patient=now - self._since < SILENT_AFTER)


def load_of(reports: Sequence[Report], rows: Mapping[str, int], *, now: datetime, patient: bool) -> Load:
    """Put together what was counted here in ``rows`` and what the services said; counted here is fresher."""
    lag: dict[tuple[str, str], int] = defaultdict(int)
    outbox_rows = dict(rows)
    heard: dict[str, bool] = defaultdict(bool)
    for report in reports:
        if report.service in _FIND_BY_THEMSELVES:
            continue
        is_fresh = now - report.reported_at < SILENT_AFTER
        heard[report.service] |= is_fresh
        if not is_fresh:
            continue
        for topic, records in report.lag.items():
            lag[report.service, topic] += records
        if report.service not in rows:
            outbox_rows[report.service] = max(outbox_rows.get(report.service, 0), report.outbox_rows)
    silent = [service for service in CONSUMED_BY if service in heard and not heard[service]]
    return Load(outbox_rows, lag, () if patient else silent)


async def _waiting(connection: AsyncConnection, schema: str, exact_from: int) -> int:
    # Ids are dense but for transactions that were rolled back: an upper bound from two looks at the index.
    bound = int(
        await connection.scalar(text(f"SELECT coalesce(max(id) - min(id) + 1, 0) FROM {schema}.outbox"))  # noqa: S608
        or 0
    )
    if bound < exact_from:
        return bound
    return int(
        await connection.scalar(
            text(f"SELECT count(*) FROM (SELECT 1 FROM {schema}.outbox LIMIT :most) AS waiting"),  # noqa: S608
            {"most": exact_from},
        )
        or 0
    )


def _refusal(what: str) -> Refusal:
    return Refusal(f"{what}; nothing was accepted, come again in {RETRY_AFTER_SECONDS} s", RETRY_AFTER_SECONDS)
