"""Request bodies: bounded, strict JSON; what is not is answered before a handler sees it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from schemas import strict_json
from services.platform.http.problems import Problem

MAX_BODY_BYTES = 65_536


class _StrictRequest(Request):
    async def body(self) -> bytes:
        if not hasattr(self, "_bounded"):
            self._bounded = await self._read()
        return self._bounded

    async def json(self) -> Any:
        try:
            return strict_json.parse(await self.body())
        except strict_json.NotJson as error:
            raise Problem(400, "invalid_json", f"the body is not JSON that is taken here: {error}") from None

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise Problem(413, "body_too_large", f"the body is larger than {MAX_BODY_BYTES} bytes; send less")
            chunks.append(chunk)
        return b"".join(chunks)


class StrictRoute(APIRoute):
    """A route whose body is read whole within its limit and parsed strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the request before the route reads it."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict
