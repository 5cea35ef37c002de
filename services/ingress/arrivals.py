"""CloudEvents over HTTP as events of ours: structured, binary and batch.

Pure: headers and bytes in, events out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from schemas import strict_json
from schemas.cloudevents import Unreadable, from_document
from schemas.events import Event, PromotionRequested
from services.platform.identity import Principal
from services.platform.outsiders import from_outside

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"
MAX_BATCH = 200


class UnsupportedKind(ValueError):
    """The media type is none under which events are taken."""


class NotABatch(ValueError):
    """The body is no list of events."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one event; ``path`` is a JSON Pointer into the body."""

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _Parcel:
    path: str
    document: Mapping[str, Any]
    data: bytes


def read_events(
    *, kind: str, headers: Mapping[str, str], body: bytes, sender: Principal, now: datetime
) -> tuple[list[Event], list[Fault]]:
    """Read every event of a request, and what is wrong with those that cannot be taken.

    ``kind`` is the media type. Raises UnsupportedKind, NotABatch and strict_json.NotJson.
    """
    events: list[Event] = []
    faults: list[Fault] = []
    for parcel in _parcels(kind, headers, body):
        try:
            events.append(_arrival(parcel, sender, now))
        except Unreadable as error:
            faults.append(Fault(parcel.path + error.place, error.code, str(error)))
    return events, faults


def _parcels(kind: str, headers: Mapping[str, str], body: bytes) -> Sequence[_Parcel]:
    document = strict_json.parse(body)
    if kind == BINARY:
        attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
        return [_Parcel("", attributes, body)]
    if kind == STRUCTURED:
        return [_structured("", document)]
    if kind != BATCH:
        raise UnsupportedKind(f"the body is {kind[:80]!r}; send {STRUCTURED}, {BATCH}, or {BINARY} with ce- headers")
    if not isinstance(document, list) or not document:
        raise NotABatch("the batch has to be a JSON array of at least one event")
    if len(document) > MAX_BATCH:
        raise NotABatch(f"the batch has {len(document)} events; the limit is {MAX_BATCH}")
    return [_structured(f"/{index}", item) for index, item in enumerate(document)]


def _structured(path: str, document: object) -> _Parcel:
    if not isinstance(document, dict):
        document = {"data": None}
    return _Parcel(path, document, json.dumps(document.get("data")).encode())


def _arrival(parcel: _Parcel, sender: Principal, now: datetime) -> Event:
    _topic, event = from_document(parcel.document, parcel.data)
    arrival = from_outside(event, sender)
    if isinstance(arrival.data, PromotionRequested):
        arrival = replace(arrival, data=arrival.data.model_copy(update={"created_at": now}))
    return arrival
