"""How promotions went over time."""

import asyncio

from fastapi import Response

from studio.console.pages.routes import page_routes
from studio.console.views.charts import charts
from studio.console.visits import Visiting

routes = page_routes()

SPANS = {"7": "7 days", "30": "30 days", "90": "90 days"}


@routes.get("/charts")
async def show(visit: Visiting, days: str = "30", target_environment: str = "") -> Response:
    """Show the charts; the filter is in the address."""
    shown = days if days in SPANS else "30"
    environments, statistics = await asyncio.gather(
        visit.api.get("/environments"),
        visit.api.get("/statistics", {"days": shown, "target_environment": target_environment}),
    )
    return await visit.page(
        "charts.html",
        charts=charts(statistics),
        spans=SPANS,
        days=shown,
        environments=environments["names"][1:],
        target_environment=target_environment,
    )
