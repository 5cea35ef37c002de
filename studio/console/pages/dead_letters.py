"""Records that no service could handle: what they were, why they were parked, and sending them again."""

from urllib.parse import urlencode

from fastapi import Request, Response

from studio.console.api import segment
from studio.console.forms import read_form
from studio.console.pages.routes import page_routes
from studio.console.visits import Visiting
from studio.problems import ApiError, Forbidden

routes = page_routes()

SHOWN = 25
_TOLD = {
    "replay": "It is sent again. Whether it can be handled now shows when its service has read it.",
    "discard": "It is discarded. Its bytes are kept.",
}


@routes.get("/dead-letters")
async def list_all(visit: Visiting, state: str = "parked", cursor: str = "") -> Response:
    """List the dead letters, newest first; the filter is in the address."""
    try:
        page = await visit.api.get("/dead-letters", {"state": state, "cursor": cursor, "limit": SHOWN})
    except Forbidden as error:
        return await visit.page("dead_letters.html", refused=str(error), letters=[], state=state, following=None)
    following = page["next_cursor"] and "/dead-letters?" + urlencode({"state": state, "cursor": page["next_cursor"]})
    return await visit.page("dead_letters.html", refused="", letters=page["items"], state=state, following=following)


@routes.get("/dead-letters/{letter_id}")
async def show(visit: Visiting, letter_id: str) -> Response:
    """Show one whole."""
    return await visit.page("dead_letter.html", letter=await visit.api.get(f"/dead-letters/{segment(letter_id)}"))


@routes.post("/dead-letters/{letter_id}/{command}")
async def act(visit: Visiting, request: Request, letter_id: str, command: str) -> Response:
    """Send a letter again, or discard it."""
    form = await read_form(request)
    here = f"/dead-letters/{segment(letter_id)}"
    if command not in _TOLD:
        return visit.go(here, "There is no such command.", "trouble")
    try:
        body = {"reason": form.text("reason")} if command == "discard" else None
        await visit.api.send("POST", f"{here}/{command}", body)
    except ApiError as error:
        return visit.go(here, str(error), "trouble")
    return visit.go(here, _TOLD[command])
