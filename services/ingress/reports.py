"""GET /services: how every process of the system is, as each said last."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from schemas.overviews import ServiceReport
from schemas.resources import Page
from schemas.vocabulary import Role
from services.platform.http.authentication import requires
from services.platform.identity import KeyRing, Principal
from services.platform.reports import SILENT_AFTER, read_reports


def router() -> APIRouter:
    """Give the route."""
    routes = APIRouter()

    @routes.get("/services", tags=["operation"])
    async def list_services(
        request: Request, _viewer: Annotated[Principal, Depends(requires(Role.VIEWER))]
    ) -> Page[ServiceReport]:
        """List every process of every service with what it last reported of itself."""
        key_ring: KeyRing = request.app.state.key_ring
        now = key_ring.clock()
        async with key_ring.database.begin() as connection:
            found = await read_reports(connection, now=now)
        items = [
            ServiceReport(
                service=report.service,
                instance=report.instance,
                started_at=report.started_at,
                reported_at=report.reported_at,
                ready=not report.trouble and now - report.reported_at < SILENT_AFTER,
                silent=now - report.reported_at >= SILENT_AFTER,
                trouble=list(report.trouble),
                lag=report.lag,
                outbox_rows=report.outbox_rows,
                outbox_oldest_at=report.outbox_oldest_at,
                last_error=report.last_error,
                last_error_at=report.last_error_at,
            )
            for report in found
        ]
        return Page(items=items, next_cursor=None)

    return routes
