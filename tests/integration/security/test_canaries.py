"""Canaries of organizations: what one of them holds never sings in an answer, a stream or a page of another."""

import asyncio
import re
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from services.platform.clock import utc_now
from studio.console.sessions import Sessions
from tests.integration.ingress.conftest import Answer, Door
from tests.integration.ingress.test_stream import happen
from tests.integration.security.nest import CANARY, Nest, build_nest, promote

STREAM = "/api/v1/stream"
# What holds no text of anybody: figures and hashes, and how processes are.
SILENT = {
    "/api/v1/audit/head", "/api/v1/audit/verify", "/api/v1/services", "/api/v1/statistics", "/asyncapi", "/healthz",
    "/metrics", "/openapi.json", "/readyz",
    # Ids and outcomes; and what is said once a promotion has been evaluated.
    "/api/v1/webhooks/{webhook_id}/deliveries", "/api/v1/promotions/{promotion_id}/explain",
}  # fmt: skip
SILENT_PAGES = {"/health", "/inbox"}
OPEN_PAGES = ("/sign-in", "/console", "/docs", "/healthz", "/readyz", "/metrics", "/asyncapi", "/openapi")


@pytest.fixture
async def nest(door: Door) -> Nest:
    return await build_nest(door)


async def places(door: Door) -> list[tuple[str, str]]:
    document = (await door.call("GET", "/openapi.json", role=None)).body
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


async def readable(door: Door) -> list[str]:
    return [path for method, path in await places(door) if method == "GET" and path != STREAM]


def pages(door: Door) -> list[str]:
    """Give the console's pages, with the names of what they show in braces."""
    routes = iter_route_contexts(door.ingress.app.routes)
    paths = {re.sub(r":\w+\}", "}", route.path or "") for route in routes if "GET" in (route.methods or ())}
    return sorted(path for path in paths if not path.startswith(("/api/", *OPEN_PAGES)))


def sings(answer: Answer, *asked: str) -> bool:
    """Tell whether the canary is in the answer, other than where what was asked is repeated."""
    body = answer.body.decode("utf-8", "replace") if isinstance(answer.body, bytes) else answer.body
    said = f"{body} {dict(answer.headers)}"
    for own in asked:
        said = said.replace(own, "")
    return CANARY in said


async def session_of(door: Door, role: str, organization: str) -> dict[str, str]:
    """Sign somebody in to the console; give the headers of a browser that is."""
    key = await door.key(role, organization)
    token = await Sessions(door.platform, utc_now).begin(key.split("_")[1])
    return {"Cookie": f"session={token}"}


async def told_over_stream(door: Door, organization: str) -> str:
    """Give what the organization's stream tells from its beginning to what happens in it now, which is its last."""
    [row] = await door.execute(
        "SELECT count(*) + 1 AS next FROM promotion.history WHERE organization_id = $1", organization
    )
    headers = {"Authorization": f"Bearer {await door.key('viewer', organization)}", "Last-Event-ID": "0"}
    told = b""
    async with door.session.get(door.url + STREAM, headers=headers) as response, asyncio.timeout(10):
        told += await response.content.readuntil(b"\n\n")
        await happen(door, row["next"], row["next"], organization)
        while b"id: %d\n" % row["next"] not in told:
            told += await response.content.readany()
    return told.decode()


async def test_the_canary_sings_in_everything_that_its_own_organization_reads(door: Door, nest: Nest) -> None:
    silent = {path for path in await readable(door) if not sings(await door.call("GET", nest.path(path)))}

    assert silent == SILENT
    assert nest.identifiers["promotion_id"] in await told_over_stream(door, "acme")


@pytest.mark.parametrize("role", ["viewer", "admin", "approver", "operator", "delegate"])
async def test_no_answer_to_another_organization_holds_it(door: Door, nest: Nest, role: str) -> None:
    wrong = []
    for method, template in await places(door):
        if template == STREAM:
            continue
        path = nest.path(template)
        body = None if method in {"GET", "DELETE"} else {"reason": "because"}
        answer = await door.call(method, path, body, organization="globex", role=role)
        if sings(answer, *nest.identifiers.values(), *path.split("/")):
            wrong.append((method, path, answer.body))

    assert wrong == []


async def test_no_stream_of_another_organization_tells_of_it(door: Door, nest: Nest) -> None:
    told = await told_over_stream(door, "globex")

    assert told.count("event: promotion.changed") == 1
    assert nest.identifiers["promotion_id"] not in told


async def test_no_page_of_another_organization_shows_it(door: Door, nest: Nest) -> None:
    own, foreign = await session_of(door, "admin", "acme"), await session_of(door, "admin", "globex")

    silent, wrong = set(), []
    for template in pages(door):
        path = nest.path(template)
        mine = await door.call("GET", path, role=None, headers=own)
        theirs = await door.call("GET", path, role=None, headers=foreign)
        if mine.status != 200 or not sings(mine, *path.split("/")):
            silent.add(template)
        if sings(theirs, *nest.identifiers.values(), *path.split("/")):
            wrong.append((path, theirs.body))

    assert wrong == []
    assert silent == SILENT_PAGES


async def test_a_foreign_id_and_a_random_one_answer_alike(door: Door, nest: Nest) -> None:
    different = []
    for method, template in await places(door):
        if "{" not in template:
            continue
        body = None if method in {"GET", "DELETE"} else {"reason": "because"}
        asked = nest.path(template), nest.path(template, unknown=True)
        foreign, unknown = [await door.call(method, path, body, organization="globex") for path in asked]
        said = [str(answer.body) for answer in (foreign, unknown)]
        for path, index in zip(asked, (0, 1), strict=True):
            for part in path.split("/"):
                said[index] = said[index].replace(part, "X") if len(part) > 12 else said[index]
        if (foreign.status, said[0]) != (unknown.status, said[1]):
            different.append((method, template, foreign.status, said[0][:200], unknown.status, said[1][:200]))

    assert different == []


async def test_filters_and_cursors_of_another_organization_find_nothing(door: Door, nest: Nest) -> None:
    for path in ("/promotions", "/deployments", "/gateways", "/promotions/rules", "/audit", "/dead-letters"):
        page = await door.call("GET", f"/api/v1{path}?limit=1")
        for query in (f"?agent_id={CANARY}-agent", f"?cursor={page.body.get('next_cursor') or ''}", "?limit=200"):
            answer = await door.call("GET", f"/api/v1{path}{query}", organization="globex")
            assert not sings(answer, f"{CANARY}-agent")


async def test_counts_of_another_organization_count_nothing(door: Door, nest: Nest) -> None:
    before = {path: await _counted(door, path) for path in ("/statistics", "/audit/head", "/board")}

    await promote(door, f"{CANARY}-2-dep")

    assert {path: await _counted(door, path) for path in before} == before


async def test_what_anybody_may_read_names_nobody(door: Door, nest: Nest) -> None:
    for path in sorted(path for path in await readable(door) if not path.startswith("/api/")):
        answer = await door.call("GET", path, role=None)

        assert answer.status == 200, path
        assert CANARY not in str(answer.body), path


async def _counted(door: Door, path: str) -> Any:
    answer = await door.call("GET", f"/api/v1{path}", organization="globex")
    assert answer.status == 200
    return {name: value for name, value in answer.body.items() if name not in {"at", "now", "since", "until"}}
