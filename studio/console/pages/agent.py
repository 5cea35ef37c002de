"""One agent: its history in each environment, its promotions, and asking for the next one."""

import asyncio

from fastapi import Request, Response

from studio.console.api import segment
from studio.console.forms import read_form
from studio.console.pages.routes import page_routes
from studio.console.views.agent import places
from studio.console.visits import Visiting
from studio.problems import ApiError, NotFound

routes = page_routes()

DEPLOYMENTS_SHOWN = 60
PROMOTIONS_SHOWN = 10


@routes.get("/agents/{agent_id}")
async def show(visit: Visiting, agent_id: str) -> Response:
    """Show one agent."""
    environments, deployments, promotions = await asyncio.gather(
        visit.api.get("/environments"),
        visit.api.get("/deployments", {"agent_id": agent_id, "limit": DEPLOYMENTS_SHOWN}),
        visit.api.get("/promotions", {"agent_id": agent_id, "limit": PROMOTIONS_SHOWN}),
    )
    if not deployments["items"] and not promotions["items"]:
        raise NotFound(404, {"detail": f"There is no agent {agent_id[:80]!r} that you may see."})
    return await visit.page(
        "agent.html",
        agent_id=agent_id,
        places=places(visit.principal, deployments["items"], environments["names"]),
        promotions=promotions["items"],
        cut=deployments["next_cursor"] is not None,
    )


@routes.post("/agents/{agent_id}/promote")
async def promote(visit: Visiting, request: Request, agent_id: str) -> Response:
    """Ask for a promotion of what is live in one environment to the next one."""
    form = await read_form(request)
    body = {
        "agent_id": agent_id,
        "source_deployment_id": form.text("source_deployment_id"),
        "target_environment": form.text("target_environment"),
    }
    try:
        promotion = await visit.api.send("POST", "/promotions", body)
    except ApiError as error:
        return visit.go(f"/agents/{segment(agent_id)}", str(error), "trouble")
    return visit.go(f"/promotions/{segment(promotion['id'])}", "Asked for. Its rules are evaluated next.")
