"""One promotion is one trace: spans of every service's process, below one another, at a real OTLP receiver."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.end_to_end.api import announce, caller, deployment_event
from tests.end_to_end.stack import RunningStack
from tests.fixtures.spans import Received, SpanReceiver, span_receiver

CALLER = f"00-{'4bf92f3577b34da6a3ce929d0e0e4736'}-{'00f067aa0ba902b7'}-01"
APPROVE = "POST /api/v1/promotions/{promotion_id}/approve"
# Each below the one before.
LINE = [
    ("ingress", "POST /api/v1/promotions"),
    ("promotion", "promotion pending/evaluating"),
    ("rules", "rules promotion.requested"),
    ("rules", "rules evaluated"),
    ("promotion", "promotion pending/awaiting_approval"),
    ("ingress", APPROVE),
    ("promotion", "promotion approved/queued"),
    ("promotion", "promotion approved/executing"),
    ("executor", "executor promotion.approved"),
    ("executor", "execution"),
    ("promotion", "promotion completed/deployed"),
]


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with span_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stack(receiver: SpanReceiver, tmp_path_factory: pytest.TempPathFactory, kafka_kind: str) -> Iterator[RunningStack]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    folder = tmp_path_factory.mktemp("traced")
    running = RunningStack(folder, "--kafka", kafka_kind, "--processes", environment=environment)
    yield running
    running.stop()


async def promoted(stack: RunningStack, deployment_id: str, agent_id: str, headers: dict[str, str]) -> dict[str, str]:
    """Promote to production, approved by one person; give the promotion as it was created."""
    admin, requester, approver = (caller(stack.ready, name) for name in ("admin", "requester", "approver"))
    await announce(admin, deployment_event(deployment_id, agent_id, "staging"))
    promotion: dict[str, str] = await requester.post(
        "/promotions",
        {"agent_id": agent_id, "source_deployment_id": deployment_id, "target_environment": "production"},
        headers,
    )
    await requester.until(f"/promotions/{promotion['id']}", status_reason="awaiting_approval")
    await approver.post(f"/promotions/{promotion['id']}/approve", {})
    await requester.until(f"/promotions/{promotion['id']}", status="completed")
    return promotion


def names(spans: list[Received]) -> set[tuple[str, str]]:
    return {(span.service, span.name) for span in spans}


def is_call(span: Received, trace_id: str) -> bool:
    return span.trace_id == trace_id and span.name == "gateway PUT"


async def test_a_promotion_is_one_trace_through_every_process(stack: RunningStack, receiver: SpanReceiver) -> None:
    promotion = await promoted(stack, "dep-traced", "agent-traced", {})

    trace_id = promotion["trace_id"]
    leaves = {("executor", "gateway PUT"), ("inventory", "inventory deployment.completed")}
    spans = receiver.until(lambda spans: names(spans) >= {*LINE, *leaves})
    assert trace_id == promotion["id"].replace("-", "")
    assert {span.trace_id for span in spans} == {trace_id}
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans) == len(LINE) + len(leaves)
    found = {(span.service, span.name): span for span in spans}
    lines = [found[place] for place in LINE]
    assert [span.parent_id for span in lines] == [None, *(span.span_id for span in lines[:-1])]
    assert {found[leaf].parent_id for leaf in leaves} == {found["executor", "execution"].span_id}
    assert all(span.began_ns <= span.ended_ns for span in spans)
    assert [span.began_ns for span in lines] == sorted(span.began_ns for span in lines)
    processes = {span.process_id for span in spans}
    assert len(processes) == 5, "ingress, promotion, rules, executor and inventory are processes of their own"
    assert {span.attributes.get("promotion.id") for span in lines} == {promotion["id"]}


async def test_what_an_event_asks_for_is_a_trace_of_its_own(stack: RunningStack, receiver: SpanReceiver) -> None:
    admin = caller(stack.ready, "admin")
    await announce(admin, deployment_event("dep-asked", "agent-asked", "development"))
    identifier = str(uuid4())
    asked = {
        "specversion": "1.0",
        "id": "ask",
        "source": "/train",
        "type": "studio.promotion.requested.v1",
        "time": "2026-01-01T00:00:00Z",
        "data": {
            "organization_id": "acme",
            "promotion_id": identifier,
            "agent_id": "agent-asked",
            "created_by": "admin",
            "source_deployment_id": "dep-asked",
            "target_environment": "staging",
        },
    }
    await admin.post("/events", asked, {"Content-Type": "application/cloudevents+json"})
    promotion = await admin.until(f"/promotions/{identifier}", status="completed")

    spans = receiver.until(lambda spans: any(is_call(span, promotion["trace_id"]) for span in spans))
    mine = [span for span in spans if span.trace_id == promotion["trace_id"]]
    assert [span.name for span in mine if span.parent_id is None] == ["rules promotion.requested"]
    known = {span.span_id for span in mine}
    assert {span.parent_id for span in mine} <= known | {None}


async def test_a_log_line_leads_to_the_trace(stack: RunningStack, receiver: SpanReceiver) -> None:
    promotion = await promoted(stack, "dep-logged", "agent-logged", {})

    receiver.until(lambda spans: any(is_call(span, promotion["trace_id"]) for span in spans))
    lines = [json.loads(line) for line in (stack.data_folder / "logs" / "executor.log").read_text().splitlines()]
    named = [line for line in lines if line.get("promotion.id") == promotion["id"]]
    assert {line["trace_id"] for line in named} == {promotion["trace_id"]}


async def test_the_gateway_is_given_a_place_in_the_trace(stack: RunningStack, receiver: SpanReceiver) -> None:
    promotion = await promoted(stack, "dep-called", "agent-called", {})

    spans = receiver.until(lambda spans: any(is_call(span, promotion["trace_id"]) for span in spans))
    call = next(span for span in spans if is_call(span, promotion["trace_id"]))
    logged = [json.loads(line) for line in stack.gateway_log("gw-production").read_text().splitlines()]
    given = [each["traceparent"] for each in logged if each.get("key") == promotion["id"] and each["method"] == "PUT"]
    assert given == [f"00-{call.trace_id}-{call.span_id}-01"]
    assert call.attributes["http.response.status_code"] == 201


async def test_the_trace_of_whoever_asks_is_gone_on_with(stack: RunningStack, receiver: SpanReceiver) -> None:
    promotion = await promoted(stack, "dep-joined", "agent-joined", {"traceparent": CALLER})

    trace_id, sender = CALLER.split("-")[1:3]
    assert promotion["trace_id"] == trace_id
    spans = receiver.until(lambda spans: names([span for span in spans if span.trace_id == trace_id]) >= set(LINE))
    root = next(span for span in spans if span.trace_id == trace_id and span.name == "POST /api/v1/promotions")
    assert root.parent_id == sender


async def test_a_receiver_that_fails_or_is_away_holds_nothing_up(tmp_path: Path, kafka_kind: str) -> None:
    with span_receiver(status=503) as failing:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": failing.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        stack = RunningStack(tmp_path, "--kafka", kafka_kind, environment=environment)
        try:
            await promoted(stack, "dep-refused", "agent-refused", {})
            failing.until(lambda _: failing.exports)
        except BaseException:
            stack.stop()
            raise
    try:
        await promoted(stack, "dep-alone", "agent-alone", {})
    finally:
        status = stack.stop()

    assert status == 0
    assert failing.spans == []
