"""CloudEvents over HTTP as events of ours: structured, binary and batch; and what outsiders may not say in them.

Pure: headers and bytes in, events out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from schemas import strict_json, topics
from schemas.cloudevents import Unreadable, from_document
from schemas.events import (
    DeploymentCompleted,
    Event,
    EventData,
    MetricsObserved,
    PromotionRequested,
    TestsCompleted,
)
from schemas.identifiers import promotion_id_of_event
from schemas.vocabulary import Origin

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"
TAKEN = (
    topics.PROMOTION_REQUESTED,
    topics.DEPLOYMENT_COMPLETED,
    topics.TESTS_COMPLETED,
    topics.METRICS_OBSERVED,
)
MAX_BATCH = 200
# What our own services emit under; consumers believe these sources.
RESERVED_SOURCES = ("promotion", "rules", "executor", "inventory", "ingress", "platform")


class UnsupportedKind(ValueError):
    """The media type is none under which events are taken."""


class NotABatch(ValueError):
    """The body is no list of events."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts events: the organization that they have to be of, and the person that requests are by.

    A delegate may name others as the ones who request.
    """

    organization_id: str
    subject: str
    is_delegate: bool


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
    *, kind: str, headers: Mapping[str, str], body: bytes, sender: Sender, now: datetime
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


def _arrival(parcel: _Parcel, sender: Sender, now: datetime) -> Event:
    topic, event = from_document(parcel.document, parcel.data)
    if topic not in TAKEN:
        raise Unreadable("wrong_type", f"{event.type} is only emitted here, never taken", place="/type")
    if event.source.strip("/").partition("/")[0].lower() in RESERVED_SOURCES:
        raise Unreadable(
            "reserved_source", f"the source {event.source[:80]!r} is one of ours; use your own", place="/source"
        )
    if event.data.organization_id != sender.organization_id:
        raise Unreadable(
            "foreign_organization",
            f"the event is of organization {event.data.organization_id!r}, your key of {sender.organization_id!r}",
            place="/data/organization_id",
        )
    data = _as_outsider(event.data, sender, now)
    key = _key(event, data)
    return replace(event, data=data, key=key, subject=event.subject or key)


def _as_outsider(data: EventData, sender: Sender, now: datetime) -> EventData:
    if isinstance(data, DeploymentCompleted):
        # Only the executor says what became of a promotion.
        return data.model_copy(update={"promotion_id": None, "error_code": None})
    if not isinstance(data, PromotionRequested):
        return data
    if data.created_by != sender.subject and not sender.is_delegate:
        raise Unreadable(
            "foreign_creator",
            f"created_by is {data.created_by!r}, your key is {sender.subject!r}'s; only a delegate requests for others",
            place="/data/created_by",
        )
    ours = {"origin": Origin.EVENT, "created_at": now, "rule_id": None, "rule_version": None}
    return data.model_copy(update=ours)


def _key(event: Event, data: EventData) -> str:
    if isinstance(data, PromotionRequested):
        identifier = data.promotion_id or promotion_id_of_event(data.organization_id, event.source, event.id)
        return str(identifier)
    if isinstance(data, (DeploymentCompleted, TestsCompleted, MetricsObserved)):
        return data.deployment_id
    raise TypeError(f"{type(data).__name__} has no key")
