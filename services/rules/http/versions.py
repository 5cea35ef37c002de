"""GET /promotions/rules/{id}/versions: everything that a rule ever said."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from schemas.resources import Page, PromotionRule
from schemas.vocabulary import Role
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.problems import documented, not_found
from services.platform.identity import Principal
from services.rules.http.rules import resource
from services.rules.store.versions import versions_of

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]


def add_version_routes(routes: APIRouter, database: Database) -> None:
    """Add the route to ``routes``."""

    @routes.get("/promotions/rules/{rule_id}/versions", tags=["rules"], responses=documented(404))
    async def list_promotion_rule_versions(viewer: Viewer, rule_id: Annotated[UUID, Path()]) -> Page[PromotionRule]:
        """List the newest 100 versions of a rule, newest first; those of a deleted one too."""
        async with database.begin() as connection:
            found = await versions_of(connection, viewer.organization_id, rule_id)
        if not found:
            raise not_found("rule", rule_id)
        return Page(items=[resource(rule) for rule in found], next_cursor=None)
