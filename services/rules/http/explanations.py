"""Why a deployment or a promotion stands where it stands, and what is known of a deployment."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from schemas.text import Identifier
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.problems import documented, not_found
from services.platform.identity import Principal
from services.rules.store.surroundings import load_surroundings

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]


def add_explanation_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    """Add the routes that explain to ``routes``."""

    @routes.get("/deployments/{deployment_id}/explain", tags=["deployments"], responses=documented(404))
    async def explain_deployment(viewer: Viewer, deployment_id: Annotated[Identifier, Path()]) -> dict[str, Any]:
        """Say whether a rule would promote this deployment now."""
        key = (viewer.organization_id, deployment_id)
        async with database.begin() as connection:
            surroundings = await load_surroundings(connection, [key])
        if surroundings.deployment(*key) is None:
            raise not_found("deployment", deployment_id)
        return {
            "deployment_id": deployment_id,
            "evaluated_at": clock().isoformat(),
            "would_promote": False,
            "summary": "no rule promotes by itself yet",
        }
