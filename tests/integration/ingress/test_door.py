"""Whatever comes in is answered in time, as what it is, and never with a 5xx that is not an outage."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import psutil
import pytest
from yarl import URL

from studio.local.postgres import EmbeddedPostgres
from tests.integration.ingress.conftest import Door

PROBLEM = "application/problem+json"


async def test_every_answer_carries_its_own_request_id_and_the_security_headers(door: Door) -> None:
    first = await door.call("GET", "/healthz", role=None, headers={"X-Request-Id": "mine"})
    second = await door.call("GET", "/nowhere", role=None)

    assert first.headers["X-Request-Id"] not in {"mine", second.headers["X-Request-Id"]}
    for answer in (first, second):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers


async def test_who_came_by_tls_is_told_to_stay_with_it(door: Door) -> None:
    plain = await door.call("GET", "/healthz", role=None)
    # As the proxy that ends TLS says it.
    secure = await door.call("GET", "/healthz", role=None, headers={"X-Forwarded-Proto": "https"})

    assert "Strict-Transport-Security" not in plain.headers
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api/v1",
        "/api/v1/",
        "/api/v1/gateways/",
        "/api/v1//gateways",
        "//api/v1/gateways",
        "/API/v1/gateways",
        "/api/v1/gateways/a%2Fb",
        "/api/v1/gateways/%2e%2e/%2e%2e/etc",
    ],
)
async def test_what_is_not_there_is_a_404_and_never_a_redirect(door: Door, path: str) -> None:
    async with door.session.get(URL(door.url + path, encoded=True), allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (404, PROBLEM)


async def test_a_wrong_method_is_told_which_are_right(door: Door) -> None:
    wrong = await door.call("PATCH", "/api/v1/gateways", role=None)
    options = await door.call("OPTIONS", "/api/v1/gateways", role=None)
    trace = await door.call("TRACE", "/api/v1/gateways/x", role=None)

    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert (trace.status, trace.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, PUT")


async def test_a_head_is_a_get_without_its_body(door: Door) -> None:
    got = await door.call("GET", "/api/v1/environments")
    head = await door.call("HEAD", "/api/v1/environments")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer pk_x_y", "Bearer " + "x" * 8000, "Bearer pk_\u00e9_x", "pk_a_b"],
)
async def test_without_a_valid_key_there_is_nothing(door: Door, authorization: str) -> None:
    answer = await door.call("GET", "/api/v1/gateways", role=None, headers={"Authorization": authorization})

    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_second_authorization_header_is_refused(door: Door) -> None:
    key = await door.key()
    headers = [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")]

    async with door.session.get(f"{door.url}/api/v1/gateways", headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b'{"names": ["a"], "names": ["b"]}', 400),
        ("application/json", b'{"names": [1e999]}', 400),
        ("application/json", b"[" * 10_000, 400),
        ("application/json", b'"\xed\xa0\x80"', 400),
        ("application/json", b'{"names": ["\\u0000a", "b"]}', 422),
        ("application/json", b'{"names": ["a", "\\ud800"]}', 422),
        ("application/json", b"{}", 422),
        ("application/json", b"null", 422),
        ("application/json", b"", 422),
        ("application/json", b'{"names": ["a", "b"], "organization_id": "globex"}', 422),
        ("application/json; charset=utf-16", b"{}", 422),
        ("text/plain", b'{"names": ["a", "b"]}', 415),
        ("application/x-www-form-urlencoded", b"names=a", 415),
        ("", b'{"names": ["a", "b"]}', 415),
        ("application/json", b" " * 65_537, 413),
    ],
)
async def test_a_body_that_is_not_what_it_should_be_is_a_problem_document(
    door: Door, kind: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": kind} if kind else {"Content-Type": "application/octet-stream"}

    answer = await door.call("PUT", "/api/v1/environments", data=body, headers=headers)

    assert (answer.status, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert answer.body["status"] == status


async def test_a_body_without_length_is_bounded_too(door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    headers = {"Authorization": f"Bearer {await door.key()}", "Content-Type": "application/json"}
    async with door.session.put(f"{door.url}/api/v1/environments", data=endless(), headers=headers) as answer:
        assert answer.status == 413


async def test_a_body_that_does_not_arrive_is_not_waited_for(prompt_door: Door) -> None:
    door = prompt_door

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(10)

    headers = {"Authorization": f"Bearer {await door.key()}", "Content-Type": "application/json"}
    started = time.monotonic()
    async with door.session.put(f"{door.url}/api/v1/environments", data=slow(), headers=headers) as answer:
        assert answer.status == 408
    assert time.monotonic() - started < 3


async def test_huge_headers_are_refused(door: Door) -> None:
    answer = await door.call("GET", "/healthz", role=None, headers={"X-Filler": "x" * 40_000})

    assert answer.status in {400, 431}


@pytest.mark.parametrize(
    "identifier", ["%00", "a%0d%0ab", "' OR 1=1 --", "{{7*7}}", "x" * 10_000, "..", "\u00e9", "💥"]
)
@pytest.mark.parametrize("kind", ["gateways", "deployments"])
async def test_identifiers_of_every_kind_are_harmless(door: Door, identifier: str, kind: str) -> None:
    path = f"/api/v1/{kind}/{quote(identifier, safe='%')}"
    async with door.session.get(
        URL(door.url + path, encoded=True), headers={"Authorization": f"Bearer {await door.key()}"}
    ) as answer:
        assert answer.status in {404, 422}
        assert answer.content_type == PROBLEM


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=201",
        "limit=1e3",
        "limit=",
        "cursor=x",
        "cursor=%00",
        "cursor=W10",
        "cursor=WyJhIl0",
        "cursor=WyJcdTAwMDAiLCAiYSIsICJiIl0",
        "cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgIlx1MDAwMCIsICJiIl0",
        "cursor=" + "A" * 2000,
        "status=broken",
        "environment=UPPER",
        "agent_id=%00",
    ],
)
async def test_a_query_that_cannot_be_is_a_422(door: Door, query: str) -> None:
    async with door.session.get(
        URL(f"{door.url}/api/v1/deployments?{query}", encoded=True),
        headers={"Authorization": f"Bearer {await door.key()}"},
    ) as answer:
        assert answer.status == 422, await answer.text()


async def test_kafka_may_be_away(door: Door) -> None:
    ready = await door.call("GET", "/readyz", role=None)

    assert (ready.status, ready.body) == (200, {"status": "ready", "trouble": []})


async def test_documents_and_metrics_need_no_key_and_name_nobody(door: Door) -> None:
    await door.call("GET", "/api/v1/environments", organization="canary-org")

    pages = {
        path: await door.call("GET", path, role=None) for path in ("/docs", "/openapi.json", "/asyncapi", "/metrics")
    }

    assert {path: answer.status for path, answer in pages.items()} == dict.fromkeys(pages, 200)
    assert b"/api/v1/environments" in pages["/docs"].body
    assert "canary-org" not in str([answer.body for answer in pages.values()])


@contextlib.contextmanager
def paused(server: EmbeddedPostgres) -> Iterator[None]:
    """Stop every process of ``server`` as a hanging machine would: connections stay open, nothing answers."""
    root = psutil.Process(server.pid)
    processes = [root, *root.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


async def test_a_database_that_hangs_is_a_503_in_time_and_then_forgotten(
    prompt_door: Door, postgres_server: EmbeddedPostgres
) -> None:
    door = prompt_door
    await door.call("GET", "/api/v1/environments")
    with paused(postgres_server):
        started = time.monotonic()
        answers = await asyncio.gather(*(door.call("GET", "/api/v1/environments") for _ in range(30)))
        took = time.monotonic() - started
        alive = await door.call("GET", "/healthz", role=None)

    async with asyncio.timeout(10):
        while (after := await door.call("GET", "/api/v1/environments")).status != 200:
            await asyncio.sleep(0.1)

    assert {(answer.status, answer.headers.get("Retry-After")) for answer in answers} == {(503, "1")}
    assert took < 2.5
    assert (alive.status, after.status) == (200, 200)
