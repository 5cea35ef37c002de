"""Dead letters as those who look after them see them: listed, shown, marked as sent again or discarded.

Every statement asks whose the letters are; what is done with one is done once and never undone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord
from services.platform.messaging.dead_letters import MAX_PUBLISHED_BYTES
from services.platform.messaging.outbox import load_headers

# So much is sent again by one call at most, since the broker of local runs holds little.
MOST_REPLAYED_BYTES = 2 * 1024 * 1024

_STATE = (
    "CASE WHEN replayed_at IS NOT NULL THEN 'replayed' WHEN discarded_at IS NOT NULL THEN 'discarded' ELSE 'parked' END"
)
_GLANCE = (
    f"id, {_STATE} AS state, organization_id, topic, kafka_partition, kafka_offset, consumer_group, reason, detail, "
    "coalesce(octet_length(value), 0) AS size_bytes, kafka_timestamp_ms, parked_at, replayed_at, discarded_at, "
    "handled_by, discard_reason"
)
_SEEN = "(organization_id = cast(:organization AS text) OR (:unattributed AND organization_id IS NULL))"
_OPEN = "replayed_at IS NULL AND discarded_at IS NULL"
_FILTERED = (
    "(cast(:topic AS text) IS NULL OR topic = :topic) AND (cast(:reason AS text) IS NULL OR reason = :reason) "
    "AND (cast(:group AS text) IS NULL OR consumer_group = :group)"
)
# A record that came compressed may be larger than the broker takes; sent again it would stop the relay for ever.
_SENDABLE = (
    "(key IS NOT NULL OR value IS NOT NULL) AND coalesce(octet_length(key), 0) + octet_length(headers) "
    f"+ coalesce(octet_length(value), 0) <= {MAX_PUBLISHED_BYTES}"
)

_LIST = text(
    f"SELECT {_GLANCE} FROM platform.dead_letter WHERE {_SEEN} AND {_FILTERED} "  # noqa: S608
    f"AND (cast(:state AS text) IS NULL OR {_STATE} = :state) "
    "AND (cast(:before_at AS timestamptz) IS NULL OR (parked_at, id) < (:before_at, cast(:before_id AS uuid))) "
    "ORDER BY parked_at DESC, id DESC LIMIT :limit"
)
_ONE = text(
    f"SELECT {_GLANCE}, key, headers, value FROM platform.dead_letter WHERE id = :id AND {_SEEN}"  # noqa: S608
)
_DUE = text(
    "SELECT id, coalesce(octet_length(value), 0) AS size_bytes FROM platform.dead_letter "  # noqa: S608
    f"WHERE {_SEEN} AND {_FILTERED} AND {_OPEN} AND {_SENDABLE} "
    "AND (cast(:parked_before AS timestamptz) IS NULL OR parked_at < :parked_before) "
    "ORDER BY parked_at, kafka_partition, kafka_offset, id LIMIT :limit"
)
_REPLAY = text(
    "UPDATE platform.dead_letter SET replayed_at = :now, handled_by = :actor "  # noqa: S608
    f"WHERE id = ANY(cast(:ids AS uuid[])) AND {_SEEN} AND {_OPEN} AND {_SENDABLE} "
    "RETURNING parked_at, kafka_partition, kafka_offset, topic, key, headers, value"
)
_DISCARD = text(
    "UPDATE platform.dead_letter SET discarded_at = :now, handled_by = :actor, discard_reason = :why "  # noqa: S608
    f"WHERE id = :id AND {_SEEN} AND {_OPEN}"
)

_FORGET = text(
    "DELETE FROM platform.dead_letter WHERE id = ANY(ARRAY(SELECT id FROM platform.dead_letter "
    "WHERE (replayed_at IS NOT NULL OR discarded_at IS NOT NULL) AND coalesce(replayed_at, discarded_at) < :before "
    "ORDER BY coalesce(replayed_at, discarded_at) LIMIT :limit FOR UPDATE SKIP LOCKED))"
)


@dataclass(frozen=True, slots=True)
class View:
    """Whose letters somebody may see: those of one organization, those of none that could be read, or both."""

    organization_id: str | None
    unattributed: bool

    def parameters(self) -> dict[str, Any]:
        """Give what the statements ask for."""
        return {"organization": self.organization_id, "unattributed": self.unattributed}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; None means any."""

    topic: str | None = None
    reason: str | None = None
    group: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Give what the statements ask for."""
        return {"topic": self.topic, "reason": self.reason, "group": self.group}


async def glances(
    connection: AsyncConnection,
    view: View,
    wanted: Filter,
    *,
    state: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Mapping[str, Any]]:
    """List letters without what is in them, newest first, those before ``before``."""
    before_at, before_id = before or (None, None)
    parameters = {"state": state, "before_at": before_at, "before_id": before_id, "limit": limit}
    rows = await connection.execute(_LIST, {**view.parameters(), **wanted.parameters(), **parameters})
    return [dict(row) for row in rows.mappings()]


async def letter(connection: AsyncConnection, view: View, identifier: UUID) -> Mapping[str, Any] | None:
    """Give one letter whole."""
    row = (await connection.execute(_ONE, {**view.parameters(), "id": identifier})).mappings().first()
    return None if row is None else dict(row)


async def due(
    connection: AsyncConnection, view: View, wanted: Filter, *, parked_before: datetime | None, limit: int
) -> tuple[list[UUID], bool]:
    """Name the oldest letters with which nothing was done, and tell whether there are more; at least one if any."""
    parameters = {"parked_before": parked_before, "limit": limit + 1}
    rows = (await connection.execute(_DUE, {**view.parameters(), **wanted.parameters(), **parameters})).all()
    taken: list[UUID] = []
    size_bytes = 0
    for row in rows[:limit]:
        size_bytes += row.size_bytes
        if taken and size_bytes > MOST_REPLAYED_BYTES:
            break
        taken.append(row.id)
    return taken, len(rows) > len(taken)


async def replay(
    connection: AsyncConnection, view: View, identifiers: Sequence[UUID], *, actor: str, now: datetime
) -> list[EncodedRecord]:
    """Mark letters as sent again; give the records, as they were, of those that were not dealt with before."""
    rows = await connection.execute(
        _REPLAY, {**view.parameters(), "ids": list(identifiers), "actor": actor, "now": now}
    )
    in_order = sorted(rows, key=lambda row: (row.parked_at, row.kafka_partition, row.kafka_offset))
    return [EncodedRecord(row.topic, row.key, load_headers(row.headers), row.value) for row in in_order]


async def discard(
    connection: AsyncConnection, view: View, identifier: UUID, *, actor: str, why: str, now: datetime
) -> bool:
    """Mark a letter as discarded; tell whether nothing was done with it before."""
    parameters = {"id": identifier, "actor": actor, "why": why, "now": now}
    result = await connection.execute(_DISCARD, {**view.parameters(), **parameters})
    return bool(result.rowcount)


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete letters that were sent again or discarded ``before``; tell how many."""
    result = await connection.execute(_FORGET, {"before": before, "limit": limit})
    return result.rowcount
