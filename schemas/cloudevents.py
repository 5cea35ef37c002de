"""CloudEvents 1.0 on Kafka: an event to a record in binary mode, and a record in either mode to an event.

Pure: bytes in, values out. What cannot be read is an ``Unreadable`` with a stable code; it is never dropped here.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas import strict_json
from schemas.events import DATA_OF_TOPIC, Event, EventData, event_type
from schemas.text import plain_text
from schemas.values import dataclass

MAX_VALUE_BYTES = 900_000
MAX_ATTRIBUTE_CHARACTERS = 1024
# ``publisher`` names the principal who sent an event from outside; it is set at the door.
EXTENSIONS = ("traceparent", "tracestate", "correlationid", "causationid", "publisher")
STRUCTURED = "application/cloudevents+json"
_REQUIRED = ("specversion", "id", "source", "type")
_CONTENT_TYPE = "datacontenttype"

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """What goes to Kafka. Of our own events every part is there; of a parked record any may be null."""

    topic: str
    key: bytes | None
    headers: Headers
    value: bytes | None


class Unreadable(ValueError):
    """A record that cannot become an event; ``code`` is stable, the message says what was wrong.

    ``place`` is a JSON Pointer into the structured event, empty where it is the event as a whole.
    """

    def __init__(self, code: str, message: str, *, place: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.place = place


@cache
def _adapter(topic: str) -> TypeAdapter[EventData]:
    return TypeAdapter(DATA_OF_TOPIC[topic])


def encode(event: Event) -> EncodedRecord:
    """Encode ``event`` in Kafka's binary content mode; equal events give equal bytes."""
    headers: list[tuple[str, bytes | None]] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_subject", event.subject.encode()),
        ("ce_time", timestamp(event.time).encode()),
        ("content-type", b"application/json"),
    ]
    headers.extend((f"ce_{name}", value.encode()) for name, value in sorted(event.extensions.items()))
    value = _adapter(event.topic).dump_json(event.data)
    return EncodedRecord(event.topic, event.key.encode(), tuple(headers), value)


def timestamp(moment: datetime) -> str:
    """Write ``moment`` as RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def decode(*, topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Event:
    """Read a record of ``topic``, in binary or structured mode.

    Raises Unreadable with one of the codes ``tombstone``, ``too_large``, ``bad_header``, ``bad_json``,
    ``bad_envelope``, ``wrong_type`` and ``wrong_schema``.
    """
    if value is None:
        raise Unreadable("tombstone", "the record has no value; publish an event with data")
    if len(value) > MAX_VALUE_BYTES:
        raise Unreadable("too_large", f"the value has {len(value)} bytes; the limit is {MAX_VALUE_BYTES}")
    attributes, data = unwrap(headers, value)
    return _event(topic=topic, key=key, attributes=attributes, data=data)


def unwrap(headers: Headers, value: bytes) -> tuple[dict[str, str], bytes]:
    """Take a record of either mode apart: its CloudEvents attributes, not yet checked, and its data as JSON."""
    attributes = _text_headers(headers)
    if attributes.get(_CONTENT_TYPE, "").lower().startswith(STRUCTURED):
        return _structured(value)
    return attributes, value


def from_document(document: Mapping[str, Any], data: bytes) -> tuple[str, Event]:
    """Read the CloudEvents attributes in ``document`` with its ``data``; give the topic that its type names."""
    for topic in DATA_OF_TOPIC:
        if document.get("type") == event_type(topic):
            return topic, _event(topic=topic, key=None, attributes=_attributes(document), data=data)
    raise Unreadable("wrong_type", f"the type {document.get('type')!r} is not one that is taken here")


def _text_headers(headers: Headers) -> dict[str, str]:
    text: dict[str, str] = {}
    for name, raw in headers:
        attribute = _attribute_of(name)
        if attribute is None:
            continue
        if raw is None:
            raise Unreadable("bad_header", f"the header {name} is null; give it a value or leave it out")
        try:
            text[attribute] = raw.decode()
        except UnicodeDecodeError:
            raise Unreadable("bad_header", f"the header {name} is not UTF-8") from None
    return text


# Most records carry the same few names.
@lru_cache(maxsize=1_000)
def _attribute_of(header: str) -> str | None:
    lowered = header.lower()
    if lowered == "content-type":
        return _CONTENT_TYPE
    return lowered[3:] if lowered.startswith("ce_") else None


def _structured(value: bytes) -> tuple[dict[str, str], bytes]:
    try:
        document = strict_json.parse(value)
    except strict_json.NotJson as error:
        raise Unreadable("bad_json", str(error)) from None
    if not isinstance(document, dict):
        raise Unreadable("bad_envelope", "a structured event has to be a JSON object")
    if "data" not in document:
        raise Unreadable("bad_envelope", "the event has no data")
    return _attributes(document), json.dumps(document["data"]).encode()


def _attributes(document: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in document.items() if isinstance(value, str) and name != "data"}


def _event(*, topic: str, key: bytes | None, attributes: dict[str, str], data: bytes) -> Event:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise Unreadable("bad_envelope", f"the event lacks the attributes {', '.join(missing)}")
    if attributes["specversion"] != "1.0":
        raise Unreadable("bad_envelope", f"specversion {attributes['specversion'][:20]!r} is not 1.0")
    if attributes["type"] != event_type(topic):
        raise Unreadable(
            "wrong_type",
            f"the type {attributes['type'][:80]!r} does not belong here; use {event_type(topic)}",
        )
    _check_attributes(attributes)
    body = _data(topic, data)
    return Event(
        topic=topic,
        key=_key(key),
        id=attributes["id"],
        source=attributes["source"],
        subject=attributes.get("subject", ""),
        time=_time(attributes.get("time")),
        data=body,
        extensions={name: attributes[name] for name in EXTENSIONS if name in attributes},
    )


def _check_attributes(attributes: Mapping[str, str]) -> None:
    # All in one, which is enough for nearly every record; one by one only for those that it is not enough for.
    together = "".join(attributes.values())
    if len(together) > MAX_ATTRIBUTE_CHARACTERS or not (together.isascii() and together.isprintable()):
        for name, text in attributes.items():
            _check_attribute(name, text)


def _check_attribute(name: str, text: str) -> None:
    if len(text) > MAX_ATTRIBUTE_CHARACTERS:
        raise Unreadable("bad_envelope", f"the attribute {name[:40]!r} is longer than {MAX_ATTRIBUTE_CHARACTERS}")
    try:
        plain_text(text)
    except ValueError as error:
        raise Unreadable("bad_envelope", f"the attribute {name[:40]!r} {error}") from None


def _key(key: bytes | None) -> str:
    return "" if key is None else key.decode("utf-8", "replace")


def _time(text: str | None) -> datetime:
    if text is None:
        raise Unreadable("bad_envelope", "the event lacks the attribute time; give RFC 3339 with an offset")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("bad_envelope", f"the time {text[:40]!r} is not RFC 3339") from None
    if moment.tzinfo is None:
        raise Unreadable("bad_envelope", f"the time {text[:40]!r} has no offset; end it with Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Unreadable("bad_envelope", f"the time {text[:40]!r} is out of range") from None


def _data(topic: str, data: bytes) -> EventData:
    try:
        return _adapter(topic).validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise Unreadable("bad_json", f"the data is not JSON: {first['msg']}") from None
        place = "/".join(str(part) for part in first["loc"])
        raise Unreadable("wrong_schema", f"data/{place}: {first['msg']}", place=f"/data/{place}") from None
