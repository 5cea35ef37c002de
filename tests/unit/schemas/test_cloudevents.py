"""Events on the wire: what is written is read back, both modes are read, and what is wrong is said by code."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.cloudevents import STRUCTURED, Headers, Unreadable, decode, encode, unwrap
from schemas.events import DATA_OF_TOPIC, Event, PromotionRequested, event_source

CONFORMANCE = sorted((Path(__file__).parents[2] / "conformance" / "cloudevents_kafka").glob("*.json"))


def requested(**changes: Any) -> Event:
    data = {
        "organization_id": "acme",
        "promotion_id": UUID(int=7),
        "agent_id": "agent-123",
        "source_deployment_id": "dep-456",
        "target_environment": "production",
        "created_by": "ada@example.com",
    }
    return Event(
        topic=topics.PROMOTION_REQUESTED,
        key="7",
        id="event-1",
        source=event_source("promotion", "acme"),
        subject="7",
        time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        data=PromotionRequested.model_validate({**data, **changes}),
        extensions={"correlationid": "7"},
    )


def test_what_is_encoded_is_decoded_equal() -> None:
    event = requested()

    record = encode(event)

    assert decode(topic=record.topic, key=record.key, headers=record.headers, value=record.value) == event


def test_attributes_are_measured_one_by_one_and_not_together() -> None:
    record = encode(requested())
    headers = (*record.headers, ("ce_tracestate", b"a" * 1000), ("ce_publisher", b"b" * 1000))

    read = decode(topic=record.topic, key=record.key, headers=headers, value=record.value)

    assert len(read.extensions["tracestate"]) == len(read.extensions["publisher"]) == 1000
    with pytest.raises(Unreadable, match="tracestate"):
        decode(
            topic=record.topic, key=record.key, headers=(*headers, ("ce_tracestate", b"a" * 1025)), value=record.value
        )


def test_equal_events_are_equal_bytes() -> None:
    assert encode(requested()) == encode(requested())


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_the_conformance_records_of_cloudevents_are_taken_apart(path: Path) -> None:
    case = json.loads(path.read_text())
    headers: Headers = tuple((name, value.encode()) for name, value in case["record"]["headers"])

    attributes, data = unwrap(headers, case["record"]["value"].encode())

    assert attributes == case["expect"]["attributes"]
    assert json.loads(data) == case["expect"]["data"]


def test_a_structured_event_is_the_same_event() -> None:
    event = requested()
    binary = encode(event)
    document = {name[3:]: value.decode() for name, value in binary.headers if value and name.startswith("ce_")}
    document["data"] = json.loads(binary.value or b"")

    structured = decode(
        topic=event.topic,
        key=binary.key,
        headers=(("content-type", b"application/cloudevents+json; charset=utf-8"),),
        value=json.dumps(document).encode(),
    )

    assert structured == event


def test_fields_of_a_newer_writer_are_ignored() -> None:
    record = encode(requested())
    newer = json.loads(record.value or b"") | {"mood": "sunny"}

    event = decode(topic=record.topic, key=record.key, headers=record.headers, value=json.dumps(newer).encode())

    assert event == requested()


@pytest.mark.parametrize(
    ("header", "raw", "code"),
    [
        ("ce_id", None, "bad_header"),
        ("ce_id", b"\xff", "bad_header"),
        ("ce_id", b"", "bad_envelope"),
        ("ce_id", b"a\x00b", "bad_envelope"),
        ("ce_id", b"x" * 2000, "bad_envelope"),
        ("ce_specversion", b"2.0", "bad_envelope"),
        ("ce_type", b"studio.promotion.requested.v2", "wrong_type"),
        ("ce_time", b"yesterday", "bad_envelope"),
        ("ce_time", b"2026-01-01T00:00:00", "bad_envelope"),
        ("ce_time", b"9999-12-31T23:59:59-23:59", "bad_envelope"),
        ("ce_time", b"2026-01-01T00:00:00+99:99", "bad_envelope"),
    ],
)
def test_a_wrong_header_is_said_by_code(header: str, raw: bytes | None, code: str) -> None:
    record = encode(requested())
    headers = tuple((name, raw if name == header else value) for name, value in record.headers)

    with pytest.raises(Unreadable) as caught:
        decode(topic=record.topic, key=record.key, headers=headers, value=record.value)

    assert caught.value.code == code


@pytest.mark.parametrize("text", ["a\\u0000b", "x" * 2000])
def test_what_is_said_of_an_attribute_is_text_whatever_its_name(text: str) -> None:
    value = (
        b'{"specversion": "1.0", "id": "1", "source": "ci", "type": "studio.promotion.requested.v1", "data": {}, '
        b'"\\ud800": "' + text.encode() + b'"}'
    )

    with pytest.raises(Unreadable) as caught:
        decode(topic=requested().topic, key=b"k", headers=(("content-type", STRUCTURED.encode()),), value=value)

    assert caught.value.code == "bad_envelope"
    assert str(caught.value).encode()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "tombstone"),
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[" * 50_000, "bad_json"),
        (b"[]", "wrong_schema"),
        (b'{"organization_id": "acme"}', "wrong_schema"),
        (b" " * 900_001, "too_large"),
    ],
)
def test_a_wrong_value_is_said_by_code(value: bytes | None, code: str) -> None:
    record = encode(requested())

    with pytest.raises(Unreadable) as caught:
        decode(topic=record.topic, key=record.key, headers=record.headers, value=value)

    assert caught.value.code == code


@given(
    topic=st.sampled_from(sorted(DATA_OF_TOPIC)),
    key=st.none() | st.binary(max_size=50),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "content-type", "other"]),
            st.none() | st.binary(max_size=40) | st.sampled_from([b"1.0", b"application/cloudevents+json"]),
        ),
        max_size=9,
    ).map(tuple),
    value=st.none() | st.binary(max_size=200),
)
def test_whatever_the_record_it_is_read_or_unreadable(
    topic: str, key: bytes | None, headers: Headers, value: bytes | None
) -> None:
    def read() -> str:
        try:
            return decode(topic=topic, key=key, headers=headers, value=value).topic
        except Unreadable as error:
            return error.code

    assert read()
