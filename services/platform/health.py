"""The health port of a service without HTTP resources: /healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.platform.service import Readiness


async def serve_health(readiness: Callable[[], Awaitable[Readiness]], *, host: str, port: int) -> web.AppRunner:
    """Serve until the runner that is given back is cleaned up."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        state = await readiness()
        body = {"status": "ready" if state.ready else "not ready", "trouble": list(state.trouble)}
        return web.json_response(body, status=200 if state.ready else 503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
