"""GET /board: what runs where, agent by agent, with what is under way."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from schemas.overviews import BoardAgent
from schemas.resources import Page
from schemas.text import Identifier
from schemas.vocabulary import Role
from services.inventory.domain.board import lay_out
from services.inventory.store import agents, board
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.identity import Principal

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]


def add_board_routes(routes: APIRouter, database: Database) -> None:
    """Add the board to ``routes``."""

    @routes.get("/board", tags=["deployments"])
    async def get_board(
        viewer: Viewer,
        agent: Annotated[str, Query(max_length=200, description="Part of the agents' names.")] = "",
        agent_id: Annotated[list[Identifier] | None, Query(max_length=100, description="These agents alone.")] = None,
        moving: Annotated[bool, Query(description="Only agents of which something is under way.")] = False,
        limit: Annotated[int, Query(ge=1, le=100, description="How many agents at most.")] = 20,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    ) -> Page[BoardAgent]:
        """Give what is live, under way and gone wrong, agent by agent."""
        organization_id = viewer.organization_id
        async with database.begin() as connection:
            names = await agents.page(
                connection,
                organization_id,
                part=agent.replace("\x00", ""),
                only=agent_id,
                moving=moving,
                after="" if cursor is None else read_cursor(cursor, str)[0],
                limit=limit + 1,
            )
            shown = names[:limit]
            items = lay_out(
                shown,
                live=await board.live(connection, organization_id, shown),
                under_way=await board.under_way(connection, organization_id, shown),
                trouble=await board.trouble(connection, organization_id, shown),
            )
        return Page(items=items, next_cursor=write_cursor(shown[-1]) if len(names) > limit else None)
