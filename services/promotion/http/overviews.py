"""GET /statistics and GET /audit: an organization's promotions summed up, and its whole history."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from schemas.overviews import AuditEntry, AuditPage, Statistics, StatisticsDay
from schemas.text import EnvironmentName, Identifier
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.identity import Principal
from services.promotion import cuts, overviews, statistics
from services.promotion.statistics import Figures, summed

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]

_PAST_THE_LAST = 2**62


def add_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    """Add the overviews."""

    @routes.get("/statistics")
    async def get_statistics(
        viewer: Viewer,
        days: Annotated[int, Query(ge=1, le=366, description="How many days, today the last of them.")] = 30,
        target_environment: Annotated[EnvironmentName | None, Query()] = None,
    ) -> Statistics:
        """Sum up what happened on these days, which are UTC's; medians are within half a percent."""
        now = clock()
        first = now.astimezone(UTC).date() - timedelta(days=days - 1)
        async with database.begin() as connection:
            found = await statistics.by_day(
                connection,
                viewer.organization_id,
                first=datetime.combine(first, time(), UTC),
                # A neighbour's clock may be ahead.
                until=now + timedelta(days=1),
                environment=target_environment,
            )
        asked = [first + timedelta(days=number) for number in range(days)]
        whole = summed(found[day] for day in asked if day in found)
        return Statistics(
            target_environment=target_environment,
            days=[_day(day, found.get(day, Figures())) for day in asked],
            lead_seconds=whole.median_seconds("completed"),
            approval_seconds=whole.median_seconds("approved"),
            change_fail_rate=_fail_rate(whole),
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


def _day(day: date, figures: Figures) -> StatisticsDay:
    times = figures.times
    return StatisticsDay(
        day=day,
        requested=times["requested"],
        completed=times["completed"],
        failed=times["failed"],
        rejected=times["rejected"],
        lead_seconds=figures.median_seconds("completed"),
        approval_seconds=figures.median_seconds("approved"),
    )


def _fail_rate(figures: Figures) -> float | None:
    failed = figures.times["failed"]
    executed = failed + figures.times["completed"]
    return failed / executed if executed else None
