"""However odd 64 KiB are, the loop goes on turning: what one request may do at once is bounded, counted in calls.

A call in C counts as one: what is done there is bounded by the size of a body and of a number.
"""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from services.ingress.door import MAX_BODY_BYTES
from tests.fixtures.turns import watched_turns
from tests.integration.ingress.conftest import Door
from tests.integration.ingress.test_inventory_over_http import announce

# A quarter of a second is several million calls, and a million on a machine that is slow.
MOST_CALLS = 250_000
# A replay reads up to five times as many; so many are read in time on a busy machine, too.
FACTS = 20_000
ROOM = MAX_BODY_BYTES - 600


def filled(make: Callable[[int], bytes]) -> bytes:
    """Give the largest of what ``make`` makes that is still taken."""
    low, high = 1, ROOM
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(make(middle)) <= ROOM else (low, middle - 1)
    return make(low)


def dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def any_of(leaf: Callable[[int], Any]) -> Callable[[int], bytes]:
    """Make a rule of so many conditions."""
    return lambda count: dumped(rule({"any": [leaf(number) for number in range(count)]}))


def rule(conditions: Any) -> dict[str, Any]:
    return {
        "name": "large",
        "source_environment": "development",
        "target_environment": "staging",
        "conditions": conditions,
    }


def nested(count: int) -> bytes:
    conditions: Any = {"field": "metrics.error_rate", "op": "lt", "value": 1}
    for _ in range(count):
        conditions = {"not": conditions}
    return dumped(rule(conditions)) if count < 900 else b"x" * (ROOM + 1)


BODIES: dict[str, bytes] = {
    "nested lists": b"[" * (ROOM // 2) + b"]" * (ROOM // 2),
    "nested objects": b'{"a":' * (ROOM // 7) + b"1" + b"}" * (ROOM // 7),
    "unended lists": b"[" * ROOM,
    "keys": filled(lambda count: dumped({f"k{number}": 1 for number in range(count)})),
    "one key again": filled(lambda count: b"{" + b",".join([b'"a":1'] * count) + b"}"),
    "numbers": filled(lambda count: b'{"conditions":[' + b",".join([b"1e400"] * count) + b"]}"),
    "digits": b'{"required_approvers":' + b"9" * (ROOM - 30) + b"}",
    "long numbers": filled(lambda count: b'{"conditions":[' + b",".join([b"7" * 4000] * count) + b"]}"),
    "exponents": filled(lambda count: b'{"data":[' + b",".join([b"1e131071"] * count) + b"]}"),
    "escapes": b'{"name":"' + b"\\u0041" * ((ROOM - 20) // 6) + b'"}',
    "NULs": b'{"name":"' + b"\\u0000" * ((ROOM - 20) // 6) + b'"}',
    "accents to put together": b'{"name":"' + "e\u0301".encode() * ((ROOM - 20) // 3) + b'"}',
    "objects in a list": filled(lambda count: dumped([{}] * count)),
    "conditions": filled(any_of(lambda n: {"field": f"metrics.m{n}", "op": "lt", "value": n})),
    "values": filled(
        lambda count: dumped(rule({"field": "metrics.error_rate", "op": "in", "value": list(range(count))}))
    ),
    "negations": nested(100),
    "wrong conditions": filled(any_of(lambda n: {"f": n})),
}
_EVENT = {"specversion": "1.0", "source": "/ci", "type": "studio.metrics.observed.v1", "time": "2026-03-01T12:00:01Z"}
BATCHES: dict[str, bytes] = {
    "events": filled(
        lambda count: dumped(
            [
                {**_EVENT, "id": str(n), "data": {"organization_id": "acme", "deployment_id": "d", "metrics": {"m": n}}}
                for n in range(count)
            ]
        )
    ),
    "measured": filled(
        lambda count: dumped(
            [{**_EVENT, "id": "1", "data": {"organization_id": "acme", "deployment_id": "d",
              "metrics": {f"m{n}": n for n in range(count)}}}]
        )
    ),
    "wrong events": filled(lambda count: dumped([{"id": n} for n in range(count)])),
}  # fmt: skip


async def writable(door: Door) -> list[tuple[str, str]]:
    document = (await door.call("GET", "/openapi.json", role=None)).body
    places = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    identifier = str(uuid4())
    return [
        (method, re.sub(r"\{\w+\}", identifier, path)) for method, path in places if method in {"POST", "PUT", "PATCH"}
    ]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_no_body_holds_up_the_others(door: Door, body: bytes) -> None:
    assert len(body) <= MAX_BODY_BYTES
    places = await writable(door)
    await door.key("admin")
    headers = {"Content-Type": "application/json"}

    held_up, statuses = {}, set()
    for method, path in places:
        with watched_turns() as turns:
            statuses.add((await door.call(method, path, data=body, headers=headers)).status)
        held_up[path] = turns.most

    assert max(held_up.values()) < MOST_CALLS, held_up
    assert 500 not in statuses


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
async def test_no_batch_of_events_holds_up_the_others(door: Door, batch: bytes) -> None:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    await door.key("admin")

    with watched_turns() as turns:
        answer = await door.call("POST", "/api/v1/events", data=batch, headers=headers)

    assert turns.most < MOST_CALLS
    assert answer.status != 500


async def test_no_rule_that_is_taken_holds_up_the_others_when_it_is_evaluated(door: Door) -> None:
    await announce(door, *({"deployment_id": f"d{n}", "agent_id": f"a{n}", "gateway_id": "g", "version": "1",
                            "environment": "development"} for n in range(50)))  # fmt: skip
    leaf = {"field": "metrics.error_rate", "op": "lt", "value": 1}
    sizes = []

    for count in (900, 500, 200, 100, 50):
        draft = rule({"any": [{"all": [leaf] * 10}] * (count // 10)})
        with watched_turns() as turns:
            made = await door.call("POST", "/api/v1/promotions/rules", {**draft, "name": f"of {count}"})
            checked = await door.call("POST", "/api/v1/promotions/rules/check", {"rule": draft, "deployment_id": "d1"})
            replayed = await door.call("POST", "/api/v1/promotions/rules/backtest", {"rule": draft})
            explained = await door.call("GET", "/api/v1/deployments/d1/explain")
        assert {each.status for each in (made, checked, replayed, explained)} <= {200, 201, 422}
        assert turns.most < MOST_CALLS, count
        sizes += [count] if made.status == 201 else []

    assert sizes


async def test_a_replay_of_all_that_was_recorded_holds_up_nobody(door: Door) -> None:
    await announce(door, {"deployment_id": "d1", "agent_id": "a1", "gateway_id": "g", "environment": "development"})
    await door.execute(
        "INSERT INTO rules.fact_history SELECT 'acme', 'd1', 'metrics.error_rate', now() - n * interval '25 seconds', "
        "'0.5', now() - n * interval '25 seconds', '/ci', n::text FROM generate_series(1, $1::int) n",
        FACTS,
    )
    draft = rule({"field": "metrics.error_rate", "op": "lt", "value": 0.1})

    with watched_turns() as turns:
        answer = await door.call("POST", "/api/v1/promotions/rules/backtest", {"rule": draft, "since": "30d"})

    assert (answer.status, answer.body["deployments"]) == (200, 1)
    assert turns.most < MOST_CALLS
