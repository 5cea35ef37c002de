"""What each service process says of itself in PostgreSQL, for those who look after the system; no business in it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.last_trouble import last_of
from services.platform.telemetry import LAG, OUTBOX_AGE, OUTBOX_ROWS, READY

REPORT_SECONDS = 5.0
# Who has not reported for so long is taken to be down, and later forgotten.
SILENT_AFTER = timedelta(seconds=30)
FORGOTTEN_AFTER = timedelta(days=1)
MOST_COUNTED = 100_000

_log = structlog.get_logger()

_WRITE = text(
    "INSERT INTO platform.service_report VALUES (:service, :instance, :started_at, :now, cast(:trouble AS text[]), "
    "cast(:lag AS json), :outbox_rows, :outbox_oldest_at, :last_error, :last_error_at) "
    "ON CONFLICT (service, instance) DO UPDATE SET started_at = excluded.started_at, "
    "reported_at = excluded.reported_at, trouble = excluded.trouble, lag = excluded.lag, "
    "outbox_rows = excluded.outbox_rows, outbox_oldest_at = excluded.outbox_oldest_at, "
    "last_error = excluded.last_error, last_error_at = excluded.last_error_at"
)
_READ = text("SELECT * FROM platform.service_report ORDER BY service, instance")
_FORGET = text("DELETE FROM platform.service_report WHERE reported_at < :before")


@dataclass(frozen=True, slots=True)
class Report:
    """The last report of one process of a service."""

    service: str
    instance: str
    started_at: datetime
    reported_at: datetime
    trouble: tuple[str, ...]
    lag: dict[str, int]
    outbox_rows: int
    outbox_oldest_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


@dataclass(slots=True)
class Reporter:
    """Reports for one process of ``service``, whose outbox is in ``schema``; no ``trouble`` means that it is ready."""

    service: str
    instance: str
    schema: str
    database: Database
    trouble: Callable[[], Awaitable[tuple[str, ...]]]
    lag: Callable[[], Awaitable[dict[str, int]]]
    clock: Clock
    _started_at: datetime | None = field(default=None)

    async def step(self) -> float:
        """Write one report; give the seconds until the next one."""
        trouble, lag, last = await self.trouble(), await self.lag(), last_of(self.service)
        now = self.clock()
        self._started_at = self._started_at or now
        async with self.database.begin() as connection:
            rows, oldest_at = await self._outbox(connection)
            self._show(trouble, lag, rows, None if oldest_at is None else now - oldest_at)
            await connection.execute(
                _WRITE,
                {
                    "service": self.service,
                    "instance": self.instance,
                    "started_at": self._started_at,
                    "now": now,
                    "trouble": list(trouble),
                    "lag": json.dumps(lag),
                    "outbox_rows": rows,
                    "outbox_oldest_at": oldest_at,
                    "last_error": None if last is None else last.said,
                    "last_error_at": None if last is None else last.at,
                },
            )
        return REPORT_SECONDS

    async def run(self) -> None:
        """Report until cancelled, whatever fails."""
        while True:
            try:
                rest_seconds = await self.step()
            except Exception as error:  # noqa: BLE001 - the next report may succeed
                _log.warning("report not written", service=self.service, error=f"{type(error).__name__}: {error}")
                rest_seconds = REPORT_SECONDS
            await asyncio.sleep(rest_seconds)

    def _show(self, trouble: tuple[str, ...], lag: dict[str, int], rows: int, age: timedelta | None) -> None:
        READY.labels(self.service).set(not trouble)
        for topic, records in lag.items():
            LAG.labels(self.service, topic).set(records)
        OUTBOX_ROWS.labels(self.schema).set(rows)
        OUTBOX_AGE.labels(self.schema).set(0.0 if age is None else max(0.0, age.total_seconds()))

    async def _outbox(self, connection: AsyncConnection) -> tuple[int, datetime | None]:
        result = await connection.execute(
            text(
                f"SELECT count(*), min(created_at) FROM (SELECT created_at FROM {self.schema}.outbox "  # noqa: S608
                "ORDER BY id LIMIT :most) AS waiting"
            ),
            {"most": MOST_COUNTED},
        )
        rows, oldest_at = result.one()
        return rows, oldest_at


async def latest_reports(connection: AsyncConnection) -> list[Report]:
    """Give the last report of every process."""
    rows = await connection.execute(_READ)
    return [Report(**{**row, "trouble": tuple(row["trouble"])}) for row in rows.mappings()]


async def read_reports(connection: AsyncConnection, *, now: datetime) -> list[Report]:
    """Give the last report of every process, and forget those that have not reported for a day."""
    await connection.execute(_FORGET, {"before": now - FORGOTTEN_AFTER})
    return await latest_reports(connection)
