"""GET and PUT /fact-publishers: whose facts the organization believes, field by field."""

from typing import Annotated

from fastapi import APIRouter, Depends

from schemas.resources import FactPublishers
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.identity import Principal
from services.rules.store import publishers

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
Admin = Annotated[Principal, Depends(requires(Role.ADMIN))]


def add_publisher_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    """Add the routes."""

    @routes.get("/fact-publishers", tags=["rules"])
    async def get_fact_publishers(viewer: Viewer) -> FactPublishers:
        """Give whose facts count; of a field that is not named, everyone's who may publish."""
        async with database.begin() as connection:
            return FactPublishers(publishers=await publishers.names_of(connection, viewer.organization_id))

    @routes.put("/fact-publishers", tags=["rules"])
    async def replace_fact_publishers(admin: Admin, body: FactPublishers) -> FactPublishers:
        """Replace whose facts count, from the next event on; what is known already stays."""
        async with database.begin() as connection:
            await publishers.save_names(
                connection, admin.organization_id, body.publishers, by=admin.subject, now=clock()
            )
        return body
