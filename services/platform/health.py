"""The health port of a service without HTTP resources: /healthz, /readyz and /metrics, for probes and Prometheus.

It answers one request of each connection and keeps nothing; a web framework for that would be a tenth of the process.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.platform.service import Readiness

MAX_REQUEST_BYTES = 16 * 1024
REQUEST_SECONDS = 5.0

_JSON = "application/json; charset=utf-8"


async def serve_health(readiness: Callable[[], Awaitable[Readiness]], *, host: str, port: int) -> asyncio.Server:
    """Serve until the server that is given back is closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await _answer(head, readiness))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # It went, sent too much or took too long; who asks for health asks again.
        finally:
            writer.close()

    return await asyncio.start_server(serve, host, port, limit=MAX_REQUEST_BYTES)


async def _answer(head: bytes, readiness: Callable[[], Awaitable[Readiness]]) -> bytes:
    method, _, rest = head.partition(b" ")
    target, _, version = rest.partition(b"\r\n")[0].rpartition(b" ")
    if not version.startswith(b"HTTP/1."):
        return _response(HTTPStatus.BAD_REQUEST)
    if method not in (b"GET", b"HEAD"):
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, more="Allow: GET, HEAD\r\n")
    with_body = method == b"GET"
    match target.partition(b"?")[0]:
        case b"/healthz":
            return _json(HTTPStatus.OK, {"status": "alive"}, with_body=with_body)
        case b"/readyz":
            state = await readiness()
            body = {"status": "ready" if state.ready else "not ready", "trouble": list(state.trouble)}
            status = HTTPStatus.OK if state.ready else HTTPStatus.SERVICE_UNAVAILABLE
            return _json(status, body, with_body=with_body)
        case b"/metrics":
            return _response(HTTPStatus.OK, generate_latest(), kind=CONTENT_TYPE_LATEST, with_body=with_body)
        case _:
            return _response(HTTPStatus.NOT_FOUND)


def _json(status: HTTPStatus, body: object, *, with_body: bool) -> bytes:
    return _response(status, json.dumps(body).encode(), kind=_JSON, with_body=with_body)


def _response(
    status: HTTPStatus, body: bytes = b"", *, kind: str = _JSON, more: str = "", with_body: bool = True
) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
