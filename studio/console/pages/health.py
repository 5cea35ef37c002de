"""How the services are: ready or not, what waits, what went wrong last."""

from fastapi import Response

from studio.console.pages.routes import page_routes
from studio.console.views.health import processes
from studio.console.visits import Visiting

routes = page_routes()


@routes.get("/health")
async def show(visit: Visiting) -> Response:
    """Show every process."""
    page = await visit.api.get("/services")
    found = processes(page["items"])
    # Processes of one service share its outbox.
    outboxes = {process.report["service"]: process.report["outbox_rows"] for process in found}
    return await visit.page(
        "health.html",
        processes=found,
        troubled=sum(1 for process in found if process.standing.tone == "bad"),
        in_kafka=sum(process.waiting for process in found),
        in_outboxes=sum(outboxes.values()),
    )
