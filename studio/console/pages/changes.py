"""What a browser follows to know that something changed: the API's own stream, as the person who is signed in."""

from collections.abc import Mapping

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from studio.console.api import ConsoleApi
from studio.console.pages.routes import page_routes
from studio.console.rendering import ASSETS
from studio.console.visits import Visiting

routes = page_routes()

_FOR_EVER = "public, max-age=31536000, immutable"


class _PassedOn(Response):
    def __init__(self, api: ConsoleApi, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._api = api
        self._sent = headers

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._api.pass_on("/stream", self._sent, receive, send)


@routes.get("/console/changes")
async def follow(visit: Visiting, request: Request) -> Response:
    """Stream the organization's changes; the stream ends by itself now and then, and who comes back is asked anew."""
    last = request.headers.get("last-event-id")
    return _PassedOn(visit.api, {} if last is None else {"last-event-id": last})


@routes.get("/console/{name}")
async def asset(name: str) -> Response:
    """Give a style sheet, script or picture of the console."""
    found = ASSETS.get(name)
    if found is None:
        return Response("there is no such file", 404, media_type="text/plain")
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _FOR_EVER})
