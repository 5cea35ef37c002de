"""POST /events: CloudEvents from upstream services without Kafka, kept in the outbox before they are accepted."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from schemas import strict_json
from schemas.events import DATA_OF_TOPIC, Event, event_type
from schemas.resources import Accepted, AcceptedEvents
from schemas.vocabulary import Role
from services.ingress.arrivals import (
    BATCH,
    BINARY,
    MAX_BATCH,
    STRUCTURED,
    Fault,
    NotABatch,
    UnsupportedKind,
    read_events,
)
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.bodies import media_type
from services.platform.http.pressure import Room
from services.platform.http.problems import Problem, documented, field_error, invalid
from services.platform.identity import Principal
from services.platform.messaging.outbox import Outbox
from services.platform.outsiders import TAKEN

Publisher = Annotated[Principal, Depends(requires(Role.PUBLISHER))]
_HINT = "see /asyncapi for what an event of this type holds"


def router(*, database: Database, outbox: Outbox, clock: Clock) -> APIRouter:
    """Give the route."""
    routes = APIRouter()

    @routes.post(
        "/events",
        tags=["events"],
        status_code=202,
        responses=documented(400, 408, 413, 415, 422, 429),
        openapi_extra={"requestBody": _request_body()},
    )
    async def post_events(request: Request, publisher: Publisher, _room: Room) -> AcceptedEvents:
        """Take CloudEvents, one or a batch; all of them are kept, or none.

        They are committed before the answer and published to Kafka afterwards; the same event may be posted again.
        """
        if "content-encoding" in request.headers:
            raise Problem(415, "unsupported_encoding", "the body has a Content-Encoding; send it as it is")
        try:
            events, faults = read_events(
                kind=media_type(request),
                headers=request.headers,
                body=await request.body(),
                sender=publisher,
                now=clock(),
            )
        except strict_json.NotJson as error:
            raise Problem(400, "invalid_json", f"the body is not JSON that is taken here: {error}") from None
        except UnsupportedKind as error:
            raise Problem(415, "unsupported_media_type", str(error)) from None
        except NotABatch as error:
            raise invalid("", "wrong_batch", str(error), f"send 1 to {MAX_BATCH} events") from None
        if faults:
            raise _refused(faults)
        async with database.begin() as connection:
            await outbox.append(connection, events)
        return AcceptedEvents(items=[_accepted(event) for event in events])

    return routes


def _accepted(event: Event) -> Accepted:
    return Accepted(id=event.id, type=event.type, status="accepted")


def _refused(faults: list[Fault]) -> Problem:
    items = [field_error(fault.path, fault.code, fault.message, _HINT) for fault in faults]
    first = faults[0]
    others = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Problem(422, "invalid_event", f"{first.path}: {first.message}{others}; nothing was accepted", errors=items)


def _request_body() -> dict[str, Any]:
    attributes = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 1024},
        "source": {"type": "string", "minLength": 1, "maxLength": 1024},
        "type": {"enum": [event_type(topic) for topic in TAKEN]},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string", "maxLength": 1024},
    }
    data = {"anyOf": [{"$ref": f"#/components/schemas/{DATA_OF_TOPIC[topic].__name__}"} for topic in TAKEN]}
    event = {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {**attributes, "data": data},
    }
    return {
        "required": True,
        "description": "The attributes of a binary-mode event are headers: `ce-specversion`, `ce-id`, `ce-type`, …",
        "content": {
            STRUCTURED: {"schema": event},
            BATCH: {"schema": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH, "items": event}},
            BINARY: {"schema": data},
        },
    }
