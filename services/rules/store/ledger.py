"""Which events were taken, for seven days, and whether a repeat says the same; and events that are early."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import decode, encode
from schemas.events import Event
from schemas.values import dataclass
from services.platform.messaging.outbox import dump_headers, load_headers

_INSERT = text(
    "INSERT INTO rules.seen_event (key, content, seen_at) SELECT i.*, cast(:now AS timestamptz) FROM unnest("
    "cast(:keys AS uuid[]), cast(:contents AS uuid[])) AS i ON CONFLICT (key) DO NOTHING RETURNING key"
)
_CONTENTS = text("SELECT key, content FROM rules.seen_event WHERE key = ANY(cast(:keys AS uuid[]))")
_SET_ASIDE = text(
    "INSERT INTO rules.early_event (organization_id, deployment_id, admit_at, topic, headers, value) "
    "SELECT * FROM unnest(cast(:organizations AS text[]), cast(:ids AS text[]), cast(:instants AS timestamptz[]), "
    "cast(:topics AS text[]), cast(:headers AS text[]), cast(:values AS bytea[]))"
)
_DUE = text(
    "DELETE FROM rules.early_event WHERE id IN (SELECT id FROM rules.early_event WHERE admit_at <= :now "
    "ORDER BY admit_at, id LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING id, topic, headers, value"
)


class Standing(Enum):
    """What an event is to those that were taken before."""

    FRESH = auto()
    REPEATED = auto()
    # The same source and id with other content.
    REUSED = auto()


@dataclass(frozen=True, slots=True)
class Early:
    """An event that is not to count before ``admit_at``."""

    event: Event
    deployment_id: str
    admit_at: datetime


async def take_note(connection: AsyncConnection, events: Sequence[Event], *, now: datetime) -> list[Standing]:
    """Note ``events`` as taken; tell of each, in order, what it is to those taken before."""
    keys = [_key(event) for event in events]
    contents = [_content(event) for event in events]
    first: dict[UUID, UUID] = {}
    for key, content in zip(keys, contents, strict=True):
        first.setdefault(key, content)
    ordered = sorted(first, key=lambda key: key.bytes)
    rows = await connection.execute(_INSERT, {"now": now, "keys": ordered, "contents": [first[key] for key in ordered]})
    new = set(rows.scalars())
    known = {key: content for key, content in first.items() if key in new}
    old = [key for key in ordered if key not in new]
    if old:
        known |= {row.key: row.content for row in await connection.execute(_CONTENTS, {"keys": old})}
    standings: list[Standing] = []
    for key, content in zip(keys, contents, strict=True):
        if known.get(key, content) != content:
            standings.append(Standing.REUSED)
        elif key in new:
            standings.append(Standing.FRESH)
            new.remove(key)
        else:
            standings.append(Standing.REPEATED)
    return standings


async def set_aside(connection: AsyncConnection, early: Sequence[Early]) -> None:
    """Keep events until their time."""
    if not early:
        return
    records = [encode(each.event) for each in early]
    await connection.execute(
        _SET_ASIDE,
        {
            "organizations": [each.event.data.organization_id for each in early],
            "ids": [each.deployment_id for each in early],
            "instants": [each.admit_at for each in early],
            "topics": [record.topic for record in records],
            "headers": [dump_headers(record.headers) for record in records],
            "values": [record.value for record in records],
        },
    )


async def take_due(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Event]:
    """Take the events whose time has come out of those set aside."""
    rows = sorted(await connection.execute(_DUE, {"now": now, "limit": limit}), key=lambda row: row.id)
    return [
        decode(topic=row.topic, key=None, headers=load_headers(row.headers), value=bytes(row.value)) for row in rows
    ]


def _key(event: Event) -> UUID:
    return _hash(f"{event.data.organization_id}\n{event.source}\n{event.id}")


def _content(event: Event) -> UUID:
    return _hash(f"{event.topic}\n{event.time.isoformat()}\n{event.data.model_dump_json()}")


def _hash(content: str) -> UUID:
    return UUID(bytes=hashlib.blake2b(content.encode(), digest_size=16).digest())
