"""A fake API on a port of its own, in the test's loop or, for blocking code, in a thread's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web

from tests.unit.studio.fake_api import KEY, FakeApi


async def serve(api: FakeApi) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    api.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    return runner


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    runner = await serve(fake)
    yield fake
    await runner.cleanup()


@pytest.fixture
def api_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """The fake in another thread, its address and key in the environment: for commands, which run their own loop."""
    fake = FakeApi()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(serve(fake), loop).result()
    monkeypatch.setenv("PROMOTION_URL", fake.url)
    monkeypatch.setenv("PROMOTION_API_KEY", KEY)
    yield fake
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
