"""Every list and GET of the API, called again and again with what is stored: how long answers take."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bench.arrivals import percentiles
from bench.client import Client
from bench.load import ORGANIZATION

# Streams have no end, and the others are not of the API.
NOT_READ = ("/api/v1/stream",)
PAGES = 20
NOBODY = "nobody-has-this-name"
# What each parameter of a list is given: what most have, what few have and what none has.
VALUES: Mapping[str, Sequence[str]] = {
    "status": ("completed", "pending", "failed", "active", "retired"),
    "status_reason": ("deployed", "awaiting_approval"),
    "agent_id": ("{agent}", NOBODY),
    "agent": ("agent-before0", NOBODY),
    "source_deployment_id": ("{source}", NOBODY),
    "target_environment": ("staging", "production"),
    "target_gateway_id": ("gw-staging", "gw-production"),
    "environment": ("staging", "development", "production"),
    "gateway_id": ("gw-staging", "gw-production"),
    "created_by": ("bench-0", NOBODY),
    "actor": ("rules", NOBODY),
    "moving": ("true",),
    "days": ("1", "30"),
    "limit": ("200",),
    "topic": ("rules.evaluated",),
    "state": ("parked",),
}
_SAMPLES = """SELECT id::text AS promotion_id, source_deployment_id AS source, agent_id AS agent,
    target_deployment_id AS target FROM promotion.promotion TABLESAMPLE SYSTEM (%s) WHERE organization_id = $1
    AND status = 'completed' LIMIT 2000"""
Row = dict[str, str]


async def read_everything(client: Client, *, calls: int) -> list[dict[str, Any]]:
    """Call each GET and each of its filters `calls` times, one after another; give percentiles, slowest first."""
    samples = await _samples(client)
    async with client.http.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    known = await _known(client)
    measured: list[dict[str, Any]] = []
    for path, methods in paths.items():
        if "get" not in methods or not path.startswith("/api/v1") or path in NOT_READ:
            continue
        # What names one thing is asked for as it is; what lists many is filtered as well.
        queries = [""] if "{" in path else _queries(methods["get"].get("parameters", []))
        for query in queries:
            found = await _read(client.http, path + query, [{**known, **sample} for sample in samples], calls)
            measured += [{"get": path + query, **found}] if found else []
    return sorted(measured, key=lambda each: -each["p99"])


def _queries(parameters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    asked = [each["name"] for each in parameters if each["in"] == "query"]
    required = {each["name"] for each in parameters if each["in"] == "query" and each.get("required")}
    if not required:
        yield ""
    for name in asked:
        for value in VALUES.get(name, ()):
            yield "?" + urlencode({name: value}, safe="{}")
    if "cursor" in asked:
        yield "?cursor={cursor}"


async def _samples(client: Client) -> list[Row]:
    for percent in ("0.5", "100"):
        rows = [dict(row) for row in await client.database.fetch(_SAMPLES % percent, ORGANIZATION)]
        if len(rows) >= 200:
            break
    random.shuffle(rows)
    return rows


async def _known(client: Client) -> Row:
    """Name what there is one of: the rule and the gateway."""
    rule = await client.database.fetchval("SELECT rule_id::text FROM rules.rule_version LIMIT 1")
    return {"rule_id": rule, "gateway_id": "gw-staging"}


async def _read(
    http: aiohttp.ClientSession, template: str, samples: Sequence[Row], calls: int
) -> dict[str, Any] | None:
    cursor: str | None = None
    path = template.partition("?")[0]
    pages = 0
    took_ms: list[float] = []
    for number in range(calls):
        sample = samples[number % len(samples)]
        url = template
        if "{cursor}" in template:
            url = f"{path}?cursor={cursor}" if cursor else path
        given = {**sample, "deployment_id": sample["source" if number % 2 else "target"]}
        for name, value in given.items():
            url = url.replace(f"{{{name}}}", value)
        if "{" in url:
            return None
        began = time.perf_counter()
        async with http.get(url) as answer:
            body = await answer.read()
        took_ms.append((time.perf_counter() - began) * 1000)
        if answer.status == 422:
            return None
        if answer.status != 200:
            raise SystemExit(f"GET {url} was answered with {answer.status}: {body[:300]!r}")
        if "{cursor}" in template:
            pages = (pages + 1) % PAGES
            cursor = (await answer.json())["next_cursor"] if pages else None
    return {"calls": calls, **percentiles(took_ms)}
