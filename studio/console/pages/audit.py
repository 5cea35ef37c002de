"""The whole history of the organization, newest first."""

from urllib.parse import urlencode

from fastapi import Response

from studio.console.pages.routes import page_routes
from studio.console.visits import Visiting

routes = page_routes()

SHOWN = 25


@routes.get("/audit")
async def show(visit: Visiting, actor: str = "", cursor: str = "") -> Response:
    """Show the audit trail; the filter is in the address."""
    page = await visit.api.get("/audit", {"actor": actor, "cursor": cursor, "limit": SHOWN})
    kept = {"actor": actor} if actor else {}
    following = page["next_cursor"] and "/audit?" + urlencode({**kept, "cursor": page["next_cursor"]})
    entries, cut = page["items"], page["cut"]
    reached = cut is not None and (not following or entries[-1]["sequence"] <= cut["sequence"])
    return await visit.page(
        "audit.html", entries=entries, actor=actor, following=following, cut=cut if reached else None
    )
