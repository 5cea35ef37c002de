"""What runs where: agents by environments."""

import asyncio
from urllib.parse import urlencode

from fastapi import Response

from studio.console.pages.routes import page_routes
from studio.console.views import board
from studio.console.visits import Visiting

routes = page_routes()

AGENTS_A_PAGE = 20


@routes.get("/")
async def show(visit: Visiting, agent: str = "", cursor: str = "", moving: str = "") -> Response:
    """Show the board; the filter is in the address."""
    query = {"agent": agent, "cursor": cursor, "moving": "true" if moving else "", "limit": AGENTS_A_PAGE}
    environments, page, waiting = await asyncio.gather(
        visit.api.get("/environments"), visit.api.get("/board", query), visit.waiting()
    )
    kept = {"agent": agent, "moving": moving}
    following = page["next_cursor"] and "/?" + urlencode(
        {**{name: value for name, value in kept.items() if value}, "cursor": page["next_cursor"]}
    )
    return await visit.page(
        "board.html",
        waiting=waiting,
        environments=environments["names"],
        rows=board.rows(page["items"], environments["names"]),
        agent=agent,
        moving=moving,
        following=following,
    )
