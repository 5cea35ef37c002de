"""No input gives a 5xx: requests made of hostile parts, against the real application on a real database."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.integration.ingress.conftest import Door

_NASTY = [
    "", " ", "\x00", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "\u202e", "..", "../..",
    "a" * 300, "%00", "\r\nX: y", "' OR 1=1", "{{7*7}}", "__class__", "rules", "0", "-1", "1e400", "NaN", "null",
    "true", "9" * 400, "00000000-0000-4000-8000-000000000001", "0000", "9999-12-31T23:59:59+23:59",
    "0000-01-01T00:00:00Z", "2026-06-30T23:59:60Z", "2026-01-01T00:00:00+99:99", "production", "acme",
    "é", "💥", "\ufdfa",
]  # fmt: skip
_FIELDS = [
    "agent_id", "source_deployment_id", "target_gateway_id", "target_environment", "organization_id", "created_by",
    "reason", "override_conditions", "name", "names", "source_environment", "requires_approval", "auto_promote",
    "required_approvers", "conditions", "status", "execution", "expires_after_seconds", "gateway_id", "environment",
    "url", "credential", "is_default", "max_concurrency", "id", "data", "type", "source", "time", "specversion",
    "deployment_id", "deployed_at", "version", "digest", "metrics", "all", "any", "field", "op", "value",
]  # fmt: skip
_PARAMETERS = [
    "limit",
    "cursor",
    "status",
    "environment",
    "gateway_id",
    "agent_id",
    "since",
    "until",
    "organization_id",
]
_text = st.sampled_from(_NASTY) | st.text(max_size=20)
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS) | _text, inner, max_size=4),
    max_leaves=12,
)
_body = (
    st.dictionaries(st.sampled_from(_FIELDS), _value, max_size=8).map(lambda body: json.dumps(body).encode())
    | _value.map(lambda body: json.dumps(body).encode())
    | st.binary(max_size=60)
    | st.sampled_from(
        [b"[" * 3000, b'{"a":' * 200 + b"1" + b"}" * 200, b'{"a":1,"a":2}', b'{"a":1e131071}', b'"\\ud800"']
    )
)
_header = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@dataclass(frozen=True)
class Shot:
    """One request."""

    method: str
    route: int
    parts: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


_shots = st.builds(
    Shot,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
    route=st.integers(0, 10_000),
    parts=st.tuples(_text, _text),
    query=st.lists(st.tuples(st.sampled_from(_PARAMETERS), _text), max_size=3).map(tuple),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["Idempotency-Key", "If-Match", "traceparent", "On-Behalf-Of", "ce-id", "ce-type", "Range"]
            ),
            _header,
        ),
        max_size=2,
    ).map(tuple),
    body=st.none() | _body,
)
_KINDS = ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain"]


def _places(door: Door) -> list[tuple[str, str]]:
    return sorted(
        (method, route.path)
        for route in iter_route_contexts(door.ingress.app.routes)
        if route.path is not None and not route.path.endswith("/stream")
        for method in route.methods or ()
    )


def _url(door: Door, path: str, shot: Shot) -> URL:
    pieces = [
        quote(shot.parts[number % 2], safe="") if piece.startswith("{") else piece
        for number, piece in enumerate(path.split("/"))
    ]
    query = "&".join(f"{name}={quote(value)}" for name, value in shot.query)
    return URL(f"{door.url}{'/'.join(pieces)}?{query}", encoded=True)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(shot=_shots, own_method=st.booleans(), kind=st.sampled_from(_KINDS))
async def test_no_request_is_answered_with_a_failure(door: Door, shot: Shot, own_method: bool, kind: str) -> None:
    places = _places(door)
    method, path = places[shot.route % len(places)]
    headers: dict[str, Any] = {
        **dict(shot.headers),
        "Content-Type": kind,
        "Authorization": f"Bearer {await door.key()}",
    }

    async with door.session.request(
        method if own_method else shot.method,
        _url(door, path, shot),
        data=shot.body,
        headers=headers,
        allow_redirects=False,
    ) as answer:
        content = await answer.read()

    assert answer.status < 500, content
    if answer.status >= 400 and answer.method != "HEAD" and path.startswith("/api/"):
        assert answer.content_type == "application/problem+json"
