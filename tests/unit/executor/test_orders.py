"""Orders and reports: the same bytes in every repeat."""

import json
from dataclasses import replace

from schemas.cloudevents import decode, encode
from schemas.vocabulary import StatusReason
from services.executor.domain.announcement import Finished, announcement
from tests.unit.executor.executions import ORDER, START


def test_the_body_of_a_call_does_not_change() -> None:
    recorded = (
        b'{"organization_id":"acme","agent_id":"agent-1","version":"1.0.0","digest":null,'
        b'"environment":"staging","gateway_id":"gw-1","source_deployment_id":"dep-1"}'
    )

    assert ORDER.body() == recorded
    assert replace(ORDER, caused_by="another event").body() == recorded
    assert json.loads(recorded) == ORDER.content


def test_a_report_is_the_same_bytes_each_time_and_can_be_read() -> None:
    finished = Finished(order=ORDER, finished_at=START, verdict=StatusReason.TIMED_OUT, error="500 internal_error")

    first, second = encode(announcement(finished)), encode(announcement(finished))

    event = decode(topic=first.topic, key=first.key, headers=first.headers, value=first.value)
    assert first == second
    assert (event.source, event.subject) == ("/executor/acme", ORDER.key)
    assert event.extensions == {"correlationid": ORDER.key, "causationid": "event-1"}


def test_a_report_of_a_success_carries_no_error() -> None:
    event = announcement(Finished(order=ORDER, finished_at=START, verdict=None, error="an earlier 500"))

    assert event.data.model_dump(include={"status", "error", "error_code"}) == {
        "status": "succeeded", "error": None, "error_code": None
    }  # fmt: skip
