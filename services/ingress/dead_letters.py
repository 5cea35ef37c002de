"""Dead letters over HTTP: listed, shown, sent again byte for byte, discarded.

An administrator sees those that could be read as being of his organization, an operator those of none. A letter is
marked and its record written to the outbox in one transaction.
"""

import base64
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.operations import (
    DeadLetter,
    DeadLetterGlance,
    Discard,
    LetterHeader,
    LetterState,
    Replayed,
    ReplayMany,
)
from schemas.resources import Page
from schemas.text import Identifier
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.bodies import StrictRoute
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.http.pressure import Room
from services.platform.http.problems import Problem, documented, invalid, not_found
from services.platform.identity import Principal
from services.platform.messaging import letter_box
from services.platform.messaging.letter_box import Filter, View
from services.platform.messaging.outbox import Outbox, load_headers
from services.platform.messaging.signatures import verbatim

Caretaker = Annotated[Principal, Depends(requires(Role.ADMIN, Role.OPERATOR))]
LetterId = Annotated[UUID, Path()]
PREVIEW_BYTES = 4000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_TIMESTAMP_MS = 253_402_300_799_000


def router(*, database: Database, outbox: Outbox, clock: Clock) -> APIRouter:
    """Give the routes; ``database`` sees every organization, and every statement says which it is about."""
    routes = APIRouter(route_class=StrictRoute, tags=["dead letters"])
    _add_reading(routes, database)
    _add_replaying(routes, database, outbox, clock)

    @routes.post("/dead-letters/{letter_id}/discard", responses=documented(404, 409))
    async def discard_dead_letter(caretaker: Caretaker, letter_id: LetterId, body: Discard) -> DeadLetter:
        """Discard a dead letter: nobody will handle it, its bytes are kept. Again, it changes nothing."""
        view = _view(caretaker)
        async with _transaction(database, view) as connection:
            await letter_box.discard(connection, view, letter_id, actor=caretaker.subject, why=body.reason, now=clock())
            found = await _letter(connection, view, letter_id)
        if found["state"] != LetterState.DISCARDED:
            raise _too_late(found, "discarded")
        return _whole(found)

    return routes


def _add_reading(routes: APIRouter, database: Database) -> None:
    @routes.get("/dead-letters")
    async def list_dead_letters(
        caretaker: Caretaker,
        topic: Annotated[Identifier | None, Query(description="Only those of this topic.")] = None,
        reason: Annotated[Identifier | None, Query(description="Only those parked for this reason.")] = None,
        group: Annotated[Identifier | None, Query(description="Only those that this consumer group parked.")] = None,
        state: Annotated[LetterState | None, Query(description="Only those with which this was done.")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="How many to list at most.")] = 50,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    ) -> Page[DeadLetterGlance]:
        """List the records that could not be handled, newest first, without what is in them."""
        view = _view(caretaker)
        async with _transaction(database, view) as connection:
            rows = await letter_box.glances(
                connection,
                view,
                Filter(topic, reason, group),
                state=state,
                before=None if cursor is None else _place(cursor),
                limit=limit + 1,
            )
        shown = rows[:limit]
        following = write_cursor(shown[-1]["parked_at"], str(shown[-1]["id"])) if len(rows) > limit else None
        return Page(items=[DeadLetterGlance(**_glance(row)) for row in shown], next_cursor=following)

    @routes.get("/dead-letters/{letter_id}", responses=documented(404))
    async def get_dead_letter(caretaker: Caretaker, letter_id: LetterId) -> DeadLetter:
        """Show a dead letter whole: its bytes, headers and position, and why it was parked."""
        view = _view(caretaker)
        async with _transaction(database, view) as connection:
            return _whole(await _letter(connection, view, letter_id))


def _add_replaying(routes: APIRouter, database: Database, outbox: Outbox, clock: Clock) -> None:
    async def send_again(connection: AsyncConnection, caretaker: Principal, identifiers: list[UUID]) -> int:
        records = await letter_box.replay(
            connection, _view(caretaker), identifiers, actor=caretaker.subject, now=clock()
        )
        await outbox.append_records(connection, [verbatim(record) for record in records])
        return len(records)

    @routes.post("/dead-letters/replay", responses=documented(429))
    async def replay_dead_letters(caretaker: Caretaker, _room: Room, body: ReplayMany) -> Replayed:
        """Send again, byte for byte, every dead letter that fits, oldest first, as many as one call takes."""
        view = _view(caretaker)
        async with _transaction(database, view) as connection:
            identifiers, more = await letter_box.due(
                connection,
                view,
                Filter(body.topic, body.reason, body.group),
                parked_before=body.parked_before,
                limit=body.limit,
            )
            replayed = await send_again(connection, caretaker, identifiers)
        return Replayed(replayed=replayed, more=more)

    @routes.post("/dead-letters/{letter_id}/replay", responses=documented(404, 409, 429))
    async def replay_dead_letter(caretaker: Caretaker, _room: Room, letter_id: LetterId) -> DeadLetter:
        """Send a dead letter again, byte for byte, to its topic, for all who read it. Again, it changes nothing.

        A record that cannot be handled this time either is parked as another letter.
        """
        view = _view(caretaker)
        async with _transaction(database, view) as connection:
            await send_again(connection, caretaker, [letter_id])
            found = await _letter(connection, view, letter_id)
        if found["state"] == LetterState.PARKED:
            raise Problem(
                409,
                "cannot_be_sent",
                "the record has neither key nor value, or is larger than the broker takes; discard it",
            )
        if found["state"] != LetterState.REPLAYED:
            raise _too_late(found, "replayed")
        return _whole(found)


def _view(caretaker: Principal) -> View:
    own = caretaker.organization_id if caretaker.may(Role.ADMIN) else None
    return View(own, unattributed=caretaker.may(Role.OPERATOR))


def _transaction(database: Database, view: View) -> AbstractAsyncContextManager[AsyncConnection]:
    # Row-level security has no word for letters of no organization, so that an operator's transaction sees all.
    if view.unattributed:
        return database.begin()
    return database.begin(organizations={view.organization_id} if view.organization_id else ())


async def _letter(connection: AsyncConnection, view: View, letter_id: UUID) -> Mapping[str, Any]:
    found = await letter_box.letter(connection, view, letter_id)
    if found is None:
        raise not_found("dead letter", letter_id)
    return found


def _too_late(found: Mapping[str, Any], wanted: str) -> Problem:
    by = found["handled_by"]
    return Problem(
        409,
        "already_handled",
        f"the dead letter was {found['state']} by {by} and cannot be {wanted} as well",
        extra={"state": found["state"]},
    )


def _glance(row: Mapping[str, Any]) -> dict[str, Any]:
    milliseconds = row["kafka_timestamp_ms"]
    known = 0 <= milliseconds <= _LATEST_TIMESTAMP_MS
    return {
        **row,
        "partition": row["kafka_partition"],
        "offset": row["kafka_offset"],
        "produced_at": _EPOCH + timedelta(milliseconds=milliseconds) if known else None,
    }


def _whole(row: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(
        **_glance({name: value for name, value in row.items() if name != "headers"}),
        key_base64=_base64(row["key"]),
        value_base64=_base64(row["value"]),
        headers=[
            LetterHeader(name=name, value_base64=_base64(raw), text=None if raw is None else _text(raw))
            for name, raw in load_headers(row["headers"])
        ],
        preview=_text((row["value"] or b"")[:PREVIEW_BYTES]),
    )


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _place(cursor: str) -> tuple[datetime, UUID]:
    parked_at, identifier = read_cursor(cursor, datetime, str)
    try:
        return parked_at, UUID(identifier)
    except ValueError:
        raise invalid(
            "query:/cursor", "invalid_cursor", "is not a cursor of this list", "pass next_cursor as you received it"
        ) from None
