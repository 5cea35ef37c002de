"""Fetching an issuer's keys over HTTP: bounded, straight, and an outage is an outage."""

import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.platform.jwks import MAX_DOCUMENT_BYTES, FetchFailed, KeySet, fetch_from
from tests.conformance.strict_tokens.cases import KEY_SET

Routes = dict[str, Callable[[web.Request], web.Response]]


def _answers(request: web.Request) -> web.Response:
    answers: Routes = {
        "keys": lambda _: web.json_response(KEY_SET),
        "elsewhere": lambda _: web.Response(status=302, headers={"Location": "/keys"}),
        "large": lambda _: web.Response(body=b" " * (MAX_DOCUMENT_BYTES + 1)),
        "failing": lambda _: web.Response(status=500),
        "compressed": lambda _: web.Response(body=b"\x1f\x8b\x08\x00", headers={"Content-Encoding": "gzip"}),
    }
    return answers[request.match_info["name"]](request)


@pytest.fixture
async def issuer() -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        return _answers(request)

    app = web.Application()
    app.router.add_get("/{name}", handle)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()


async def test_keys_come_over_http(issuer: str) -> None:
    document = await fetch_from(f"{issuer}keys")()

    assert json.loads(document) == KEY_SET


@pytest.mark.parametrize("name", ["elsewhere", "large", "failing"])
async def test_an_answer_that_is_no_key_set_is_a_failure(issuer: str, name: str) -> None:
    with pytest.raises(FetchFailed):
        await fetch_from(f"{issuer}{name}")()


async def test_a_compressed_answer_is_not_unpacked(issuer: str) -> None:
    keys = KeySet(fetch_from(f"{issuer}compressed"), elapsed=lambda: 0.0)

    with pytest.raises(Exception, match="cannot be fetched"):
        await keys.find("rsa")


async def test_an_issuer_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(FetchFailed):
        await fetch_from("http://127.0.0.1:1/keys")()


async def test_no_proxy_of_the_environment_is_used(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert await fetch_from(f"{issuer}keys")()
