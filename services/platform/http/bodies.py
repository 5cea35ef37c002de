"""Request bodies: strict JSON under a JSON content type; what is not is answered before a handler sees it.

Their size is the application's to bound, for bodies of every kind.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from schemas import strict_json
from services.platform.http.problems import Problem

JSON = "application/json"


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """Parse the body; raises a 400 that says where it is not JSON."""
        try:
            return strict_json.parse(await self.body())
        except strict_json.NotJson as error:
            raise Problem(400, "invalid_json", f"the body is not JSON that is taken here: {error}") from None


class StrictRoute(APIRoute):
    """A route that takes JSON bodies alone, and those strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the request before the route reads it."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            request = StrictRequest(request.scope, request.receive)
            if self.body_field is not None:
                _require_json(request)
            return await handler(request)

        return strict


def media_type(request: Request) -> str:
    """Give the media type of the body, without its parameters, in lower case; empty where none is named."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_json(request: Request) -> None:
    if "content-encoding" in request.headers:
        raise Problem(415, "unsupported_encoding", "the body has a Content-Encoding; send it as it is")
    empty = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    sent = media_type(request)
    # Clients name a type for a body that they do not send; there is nothing in it to be misread.
    if not empty and sent != JSON:
        raise Problem(415, "unsupported_media_type", f"the body is {sent[:80]!r}; send it as {JSON}")
