"""GET /statistics and GET /audit: an organization's promotions summed up, and its whole history."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from schemas.overviews import AuditEntry, AuditPage, Statistics, StatisticsDay
from schemas.text import EnvironmentName, Identifier
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.identity import Principal
from services.promotion import cuts, overviews

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]

_PAST_THE_LAST = 2**62
_NOTHING: Mapping[str, Any] = {
    "requested": 0, "completed": 0, "failed": 0, "rejected": 0, "lead_seconds": None, "approval_seconds": None,
}  # fmt: skip


def add_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    """Add the overviews."""

    @routes.get("/statistics")
    async def get_statistics(
        viewer: Viewer,
        days: Annotated[int, Query(ge=1, le=366, description="How many days, today the last of them.")] = 30,
        target_environment: Annotated[EnvironmentName | None, Query()] = None,
    ) -> Statistics:
        """Sum up the promotions that were asked for in these days; days are UTC's."""
        first = clock().astimezone(UTC).date() - timedelta(days=days - 1)
        scope: dict[str, Any] = {
            "since": datetime.combine(first, time(), UTC),
            "environment": target_environment,
        }
        async with database.begin() as connection:
            found = await overviews.by_day(connection, viewer.organization_id, **scope)
            whole = await overviews.as_a_whole(connection, viewer.organization_id, **scope)
        listed = [_day(first + timedelta(days=number), found) for number in range(days)]
        return Statistics(
            target_environment=target_environment, days=listed, change_fail_rate=_fail_rate(listed), **whole
        )

    @routes.get("/audit")
    async def list_audit(
        viewer: Viewer,
        actor: Annotated[Identifier | None, Query(description="What this one did alone.")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="How many to list at most.")] = 50,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    ) -> AuditPage:
        """List every transition and vote of the organization, newest first; `cut` where older ones were let go."""
        before = _PAST_THE_LAST if cursor is None else read_cursor(cursor, int)[0]
        async with database.begin() as connection:
            rows = await overviews.audit(
                connection, viewer.organization_id, actor=actor, before=before, limit=limit + 1
            )
            cut = await cuts.latest(connection, viewer.organization_id)
        shown = [AuditEntry(**row) for row in rows[:limit]]
        return AuditPage(
            items=shown,
            next_cursor=write_cursor(shown[-1].sequence) if len(rows) > limit else None,
            cut=cut and cuts.resource(cut),
        )


def _day(day: date, found: Mapping[date, Mapping[str, Any]]) -> StatisticsDay:
    return StatisticsDay(**{**_NOTHING, **found.get(day, {}), "day": day})


def _fail_rate(days: list[StatisticsDay]) -> float | None:
    failed = sum(day.failed for day in days)
    executed = failed + sum(day.completed for day in days)
    return failed / executed if executed else None
