"""Requests to every route: valid ones spoilt, and some that are no HTTP that anybody writes on purpose."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from tests.fuzz.nasties import FIELDS, Nasty, dump

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get")
CONTENT_TYPES = (
    "application/json", "application/json; charset=utf-16", "application/json; charset=nonsense", "text/plain",
    "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "", "application/cloudevents+json",
    "application/cloudevents-batch+json", "a/b" * 50,
)  # fmt: skip
RULE = {"name": "r", "source_environment": "development", "target_environment": "staging", "required_approvers": 1,
        "conditions": {"all": [{"field": "tests.pass_rate", "op": "gte", "value": 95}]}}  # fmt: skip
EVENT = {
    "specversion": "1.0", "id": "e", "source": "/fuzz", "type": "studio.metrics.observed.v1",
    "time": "2026-01-01T00:00:00Z",
    "data": {"organization_id": "acme", "deployment_id": "dep-1", "metrics": {"error_rate": 0.1}},
}  # fmt: skip
# What is sent to which path, by the path's end; half of the time it goes elsewhere.
BODIES: dict[str, dict[str, Any]] = {
    "/promotions": {"agent_id": "agent", "source_deployment_id": "dep-1", "target_environment": "staging"},
    "/approve": {"reason": "because", "override_conditions": True},
    "/reject": {"reason": "because"},
    "/rules": RULE,
    "/{rule_id}": RULE,
    "/check": {"rule": RULE, "deployment_id": "dep-1"},
    "/gateways": {
        "gateway_id": "gw-fuzz", "environment": "staging", "url": "http://127.0.0.1:18080", "credential": "c"},
    "/environments": {"names": ["development", "staging", "production"]},
    "/fact-publishers": {"publishers": {"tests.*": ["ci"]}},
    "/webhooks": {"name": "hook", "url": "http://127.0.0.1:18081/", "statuses": ["completed"]},
    "/events": EVENT,
}  # fmt: skip
HEADERS = (
    "Idempotency-Key", "On-Behalf-Of", "Prefer", "If-Match", "Last-Event-ID", "traceparent", "Range", "Accept",
    "Cookie",
    "X-Forwarded-For", "X-HTTP-Method-Override", "Content-Encoding", "ce-id", "Origin", "Expect",
)  # fmt: skip


Place = tuple[str, str]


@dataclass
class Findings:
    """What was sent, how it was answered, and what should never have been."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    # What was answered 503 before it was answered otherwise.
    busy: list[str] = field(default_factory=list)

    def note(self, request: str, status: int, body: bytes) -> None:
        self.statuses[status] += 1
        if status >= 500 and len(self.wrong) < 50:
            self.wrong.append(f"{status} for {request[:400]}: {body[:300]!r}")


async def fuzz(
    url: str, keys: list[str], findings: Findings, *, enough: Callable[[], bool], seed: int, workers: int = 12
) -> None:
    """Send requests until it is ``enough``, and note in ``findings`` what comes of them."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/openapi.json") as answer:
            document = (await answer.json())["paths"]
        places = [(method.upper(), path) for path, methods in document.items() for method in methods]
        known = await _known(session, url, keys[0])
        await asyncio.gather(
            *(
                _worker(session, url, keys, places, known, findings, enough, seed * 1000 + number)
                for number in range(workers)
            )
        )


async def _known(session: aiohttp.ClientSession, url: str, key: str) -> list[str]:
    """Make something that is there, so that not every id is unknown."""
    made: list[str] = []
    async with session.post(f"{url}/api/v1/promotions/rules", json=RULE, headers=_authorized(key)) as answer:
        made.append((await answer.json()).get("id", ""))
    for path in ("/promotions", "/deployments", "/gateways"):
        async with session.get(f"{url}/api/v1{path}", headers=_authorized(key)) as answer:
            for item in (await answer.json())["items"]:
                made += [str(value) for name, value in item.items() if name in {"id", "deployment_id", "gateway_id"}]
    return [one for one in made if one]


async def _worker(
    session: aiohttp.ClientSession,
    url: str,
    keys: list[str],
    places: list[Place],
    known: list[str],
    findings: Findings,
    enough: Callable[[], bool],
    seed: int,
) -> None:
    nasty = Nasty(seed)
    for number in itertools.count():
        if enough():
            return
        request = _request(nasty, keys, places, known)
        if number % 50 == 49:
            await _raw(nasty, url, findings)
            continue
        try:
            for patience in (1, 2, 4, None):
                status, body = await _ask(session, url, request)
                # A busy machine may answer that it is busy; it has to do better when it is asked again.
                if status != 503 or patience is None:
                    break
                findings.statuses[status] += 1
                findings.busy.append(f"{request.method} {request.target[:100]}: {body[:300]!r}")
                await asyncio.sleep(patience)
            findings.note(repr(request), status, body)
        except TimeoutError:
            findings.wrong.append(f"no answer within 15 s for {request!r}"[:500])
        except (aiohttp.ClientError, ValueError, UnicodeError):
            # Our own client refuses to send some of it.
            findings.statuses[0] += 1


async def _ask(session: aiohttp.ClientSession, url: str, request: "Request") -> tuple[int, bytes]:
    async with session.request(
        request.method, _url(url + request.target), data=request.body, headers=request.headers,
        allow_redirects=False, timeout=aiohttp.ClientTimeout(total=15),
    ) as answer:  # fmt: skip
        if answer.content_type == "text/event-stream":
            answer.close()
            return answer.status, b""
        return answer.status, await answer.content.read(2000)


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


def _request(nasty: Nasty, keys: list[str], places: list[Place], known: list[str]) -> Request:
    draw = nasty.random
    method, template = draw.choice(places)
    path = re.sub(r"\{[^}]*\}", lambda _: _segment(nasty, known), template)
    if draw.random() < 0.05:
        path = draw.choice(("//" + path, path + "/", path.upper(), "/" + nasty.text(), path.replace("/", "%2f", 2)))
    if draw.random() < 0.3:
        names = ("limit", "cursor", "status", "agent_id", "environment", "target_environment", draw.choice(FIELDS))
        path += "?" + "&".join(f"{draw.choice(names)}={_quote(nasty.text())}" for _ in range(2))
    headers = _authorized(draw.choice(keys)) if draw.random() < 0.95 else {"Authorization": _header(nasty)}
    for _ in range(draw.randrange(3)):
        headers[draw.choice(HEADERS)] = _header(nasty)
    if draw.random() < 0.05:
        method = draw.choice(METHODS)
    body = None
    if method not in {"GET", "HEAD"}:
        headers["Content-Type"] = CONTENT_TYPES[0] if draw.random() < 0.85 else draw.choice(CONTENT_TYPES)
        body = _body(nasty, template)
    return Request(method, path, headers, body)


def _segment(nasty: Nasty, known: list[str]) -> str:
    return nasty.random.choice(known) if known and nasty.random.random() < 0.6 else _quote(nasty.text()) or "x"


def _body(nasty: Nasty, path: str) -> bytes:
    kind = nasty.random.random()
    fitting = [body for end, body in BODIES.items() if path.endswith(end)]
    template = nasty.random.choice(fitting if fitting and nasty.random.random() < 0.5 else [*BODIES.values()])
    if kind < 0.25:
        return dump(template).encode()
    if kind < 0.8:
        return nasty.spoil(template).encode()
    if kind < 0.95:
        return nasty.json().encode("utf-8", "surrogatepass")
    return nasty.random.choice(
        (b"", b"\xff\xfe", b" " * 70_000, b"{" * 20_000, b"\x1f\x8b\x08", nasty.random.randbytes(50))
    )


def _authorized(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _header(nasty: Nasty) -> str:
    return "".join(character for character in nasty.text() if " " <= character <= "~" or character == "é")


def _quote(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _url(text: str) -> Any:
    from yarl import URL

    return URL(text, encoded=True)


async def _raw(nasty: Nasty, url: str, findings: Findings) -> None:
    """Say something over a bare connection that no client would."""
    host, port = url.removeprefix("http://").split(":")
    said = nasty.random.choice(
        (
            b"GET /docs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST /api/v1/promotions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST /api/v1/promotions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Length: 1\r\n\r\n{}",
            b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"GET /api/v1/promotions HTTP/1.1\r\nHost: x\r\n" + b"X-Filler: " + b"x" * 40_000 + b"\r\n\r\n",
            b"GET /api/v1/promotions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
            b"GET /docs HTTP/1.1\r\nHost: x\r\nRange: bytes=" + b",".join(b"0-1" for _ in range(2000)) + b"\r\n\r\n",
            b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        )
    )
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(said + b"Connection: close\r\n\r\n")
            writer.write_eof()
            answer = await reader.read(300)
            writer.close()
    except (OSError, TimeoutError):
        findings.statuses[0] += 1
        return
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    findings.note(repr(said[:100]), int(found[1]) if found else 0, answer)
