"""POST /events: kept before it is accepted, all or nothing, and nobody speaks for somebody else."""

import json
from typing import Any

import pytest

from schemas.cloudevents import decode
from schemas.events import DeploymentCompleted, Event, PromotionRequested
from services.platform.messaging.outbox import load_headers
from tests.integration.ingress.conftest import Answer, Door

BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json"
DEPLOYED = {
    "organization_id": "acme",
    "deployment_id": "dep-1",
    "agent_id": "agent",
    "environment": "staging",
    "gateway_id": "gw",
    "version": "1",
    "status": "succeeded",
    "deployed_at": "2026-03-01T12:00:00Z",
}


def event(data: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/ci",
        "type": "studio.deployment.completed.v1",
        "time": "2026-03-01T12:00:01Z",
        "data": DEPLOYED if data is None else data,
        **attributes,
    }


async def post(door: Door, document: Any, kind: str = STRUCTURED, *, role: str = "publisher", **rest: Any) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await door.call("POST", "/api/v1/events", data=body, role=role, headers={"Content-Type": kind, **rest})


async def kept(door: Door) -> list[Event]:
    rows = await door.execute("SELECT topic, key, headers, value FROM ingress.outbox ORDER BY id")
    return [
        decode(topic=row["topic"], key=row["key"], headers=load_headers(row["headers"]), value=row["value"])
        for row in rows
    ]


async def test_a_structured_event_is_kept_for_kafka_and_accepted(door: Door) -> None:
    answer = await post(door, event())

    [stored] = await kept(door)
    assert (answer.status, answer.items) == (
        202,
        [{"id": "e-1", "type": "studio.deployment.completed.v1", "status": "accepted"}],
    )
    assert (stored.id, stored.source, stored.key, stored.subject) == ("e-1", "/ci", "dep-1", "dep-1")
    assert stored.data == DeploymentCompleted.model_validate(DEPLOYED)


async def test_a_binary_event_carries_its_attributes_in_headers(door: Door) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "e%201",
        "ce-source": "/ci",
        "ce-type": "studio.deployment.completed.v1",
        "ce-time": "2026-03-01T12:00:01Z",
        "ce-traceparent": "00-11",
    }

    answer = await post(door, DEPLOYED, "application/json", **headers)

    [stored] = await kept(door)
    assert answer.status == 202
    assert (stored.id, stored.extensions) == ("e 1", {"traceparent": "00-11", "publisher": "publisher-of-acme"})


async def test_a_batch_is_accepted_whole(door: Door) -> None:
    tests = {"organization_id": "acme", "deployment_id": "dep-1", "suite": "smoke", "run_id": "r", "outcome": "success"}
    metrics = {"organization_id": "acme", "deployment_id": "dep-1", "metrics": {"error_rate": 0.01}}

    answer = await post(
        door,
        [
            event(id="1"),
            event(tests, id="2", type="studio.tests.completed.v1"),
            event(metrics, id="3", type="studio.metrics.observed.v1"),
        ],
        BATCH,
    )

    assert [item["id"] for item in answer.items] == ["1", "2", "3"]
    assert [stored.topic for stored in await kept(door)] == [
        "deployment.completed",
        "tests.completed",
        "metrics.observed",
    ]


async def test_of_a_batch_with_faults_every_fault_is_named_and_nothing_kept(door: Door) -> None:
    answer = await post(
        door,
        [event(), event({**DEPLOYED, "status": "great"}), event({**DEPLOYED, "organization_id": "globex"}), 7],
        BATCH,
    )

    assert answer.status == 422
    assert [(item["path"], item["code"]) for item in answer.body["errors"]] == [
        ("/1/data/status", "wrong_schema"),
        ("/2/data/organization_id", "foreign_organization"),
        ("/3", "wrong_type"),
    ]
    assert await kept(door) == []


@pytest.mark.parametrize("source", ["/executor/acme", "executor/acme", "/Executor/acme", "//rules/x", "/promotion"])
async def test_nobody_speaks_in_the_name_of_a_service(door: Door, source: str) -> None:
    answer = await post(door, event(source=source))

    assert (answer.status, answer.body["errors"][0]["code"]) == (422, "reserved_source")
    assert await kept(door) == []


@pytest.mark.parametrize("kind", ["promotion.approved", "rules.evaluated", "promotion.changed", "made.up"])
async def test_only_what_others_may_say_is_taken(door: Door, kind: str) -> None:
    answer = await post(door, event(type=f"studio.{kind}.v1"))

    assert answer.status == 422
    assert await kept(door) == []


async def test_what_became_of_a_promotion_is_not_for_outsiders_to_say(door: Door) -> None:
    claimed = {**DEPLOYED, "promotion_id": "00000000-0000-0000-0000-000000000007", "error_code": "timed_out"}

    await post(door, event(claimed))

    [stored] = await kept(door)
    assert isinstance(stored.data, DeploymentCompleted)
    assert (stored.data.promotion_id, stored.data.error_code) == (None, None)


REQUESTED = {
    "organization_id": "acme",
    "agent_id": "agent",
    "source_deployment_id": "dep-1",
    "target_environment": "production",
    "created_by": "admin-of-acme",
    "origin": "auto",
    "created_at": "2001-01-01T00:00:00Z",
}


async def test_a_request_is_by_its_sender_and_made_when_it_came(door: Door) -> None:
    answer = await post(door, event(REQUESTED, type="studio.promotion.requested.v1"), role="admin")

    [stored] = await kept(door)
    assert answer.status == 202
    assert isinstance(stored.data, PromotionRequested)
    assert stored.data.origin == "event"
    assert stored.data.created_at is not None
    assert stored.data.created_at.year > 2001


async def test_a_request_in_somebody_elses_name_is_refused(door: Door) -> None:
    asked = {**REQUESTED, "created_by": "mallory"}

    answer = await post(door, event(asked, type="studio.promotion.requested.v1"), role="admin")

    assert (answer.status, answer.body["errors"][0]["path"]) == (422, "/data/created_by")


async def test_who_only_reports_requests_nothing(door: Door) -> None:
    asked = {**REQUESTED, "created_by": "publisher-of-acme"}

    answer = await post(door, event(asked, type="studio.promotion.requested.v1"))

    assert (answer.status, answer.body["errors"][0]["path"]) == (422, "/data/target_environment")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("multipart/form-data; boundary=x", b"{}", 415),
        (STRUCTURED, b"{", 400),
        (STRUCTURED, b'{"id": 1, "id": 2}', 400),
        (STRUCTURED, b"[" * 5000, 400),
        (STRUCTURED, b'{"a": NaN}', 400),
        (STRUCTURED, b"\xff", 400),
        (STRUCTURED, b"", 400),
        (STRUCTURED, b"null", 422),
        (STRUCTURED, b"{}", 422),
        (BATCH, b"[]", 422),
        (BATCH, b"{}", 422),
        (STRUCTURED, b" " * 70_000, 413),
    ],
)
async def test_what_is_no_event_is_refused_with_its_reason(door: Door, kind: str, body: bytes, status: int) -> None:
    answer = await post(door, body, kind)

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert await kept(door) == []


async def test_a_zipped_body_is_not_unpacked(door: Door) -> None:
    answer = await post(door, event(), **{"Content-Encoding": "gzip"})

    assert answer.status == 415
