"""Records that no service could handle: what they were, why they were parked, and sending them again."""

from urllib.parse import urlencode

from fastapi import Request as HttpRequest
from fastapi import Response

from studio.console.api import segment
from studio.console.forms import read_form
from studio.console.pages.routes import page_routes
from studio.console.visits import Visiting
from studio.problems import ApiError, Forbidden

routes = page_routes()

SHOWN = 25
_COMMANDS = {
    "replay": "It is sent again. Whether it can be handled now shows when its service has read it.",
    "discard": "It is discarded. Its bytes are kept.",
}


@routes.get("/dead-letters")
async def show(visit: Visiting, cursor: str = "") -> Response:
    """List the dead letters, newest first."""
    try:
        page = await visit.api.get("/dead-letters", {"cursor": cursor, "limit": SHOWN})
    except Forbidden:
        page = None
    following = page and page["next_cursor"] and "/dead-letters?" + urlencode({"cursor": page["next_cursor"]})
    return await visit.page(
        "dead_letters.html",
        letters=None if page is None else page["items"],
        following=following,
    )


@routes.post("/dead-letters/{letter_id}/{command}")
async def act(visit: Visiting, request: HttpRequest, letter_id: str, command: str) -> Response:
    """Send a letter again, or discard it with its reason."""
    if command not in _COMMANDS:
        return visit.go("/dead-letters", "There is no such command.", "trouble")
    form = await read_form(request)
    body = {"reason": form.text("reason")} if command == "discard" else None
    try:
        await visit.api.send("POST", f"/dead-letters/{segment(letter_id)}/{command}", body)
    except ApiError as error:
        return visit.go("/dead-letters", str(error), "trouble")
    return visit.go("/dead-letters", _COMMANDS[command])
