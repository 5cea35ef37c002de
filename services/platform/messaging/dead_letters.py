"""Dead letters: records that could not be handled, kept whole with their reason, in PostgreSQL and on ``<topic>.dead``.

Parking is idempotent: the same record parked twice by the same group is one dead letter.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.cloudevents import EncodedRecord, Headers
from schemas.identifiers import NAMESPACE
from schemas.topics import dead_letter_topic
from schemas.values import dataclass
from services.platform.messaging.outbox import dump_headers

# What makes a letter larger is kept in PostgreSQL alone: the broker would refuse it, and the relay stand still.
MAX_PUBLISHED_BYTES = 900_000
_HEADER_OVERHEAD_BYTES = 10


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: Headers
    value: bytes | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record with the group that could not handle it; ``reason`` is a stable code, ``detail`` a sentence.

    Without an organization only operators see it.
    """

    group: str
    record: Record
    reason: str
    detail: str
    organization_id: str | None = None

    @property
    def id(self) -> UUID:
        """Identify the letter by content and place; offsets alone start again when a broker loses its data."""
        record = self.record
        digest = hashlib.sha256(
            repr((record.key, record.headers, record.value, record.timestamp_ms)).encode()
        ).hexdigest()
        place = f"{self.group}\n{record.topic}\n{record.partition}\n{record.offset}"
        return uuid5(NAMESPACE, f"dead letter\n{place}\n{digest}")

    def to_record(self) -> EncodedRecord:
        """Give what goes to the dead-letter topic: the record as it was, as far as it fits, and why it is there."""
        record = self.record
        around_bytes = len(record.key or b"") + sum(
            len(name.encode()) + len(raw or b"") + _HEADER_OVERHEAD_BYTES for name, raw in record.headers
        )
        fits = around_bytes + len(record.value or b"") <= MAX_PUBLISHED_BYTES
        about = (
            ("dead-reason", self.reason.encode()),
            ("dead-detail", _readable(self.detail).encode()[:1000]),
            ("dead-group", self.group.encode()),
            ("dead-position", f"{record.topic}/{record.partition}/{record.offset}".encode()),
            ("dead-value", b"whole" if fits else b"in PostgreSQL only"),
        )
        if around_bytes > MAX_PUBLISHED_BYTES:
            return EncodedRecord(dead_letter_topic(record.topic), b"", about, b"")
        value = record.value if fits else b""
        # Kafka does not take a record without both key and value.
        key = b"" if record.key is None and value is None else record.key
        return EncodedRecord(dead_letter_topic(record.topic), key, (*record.headers, *about), value)


def _readable(detail: str) -> str:
    # A detail may repeat what was wrong: neither PostgreSQL nor UTF-8 takes NUL and lone surrogates.
    return detail.replace("\x00", "\ufffd").encode("utf-8", "backslashreplace").decode()


_PARK = text(
    "SELECT * FROM platform.park_dead_letters(cast(:ids AS uuid[]), cast(:organizations AS text[]), "
    "cast(:groups AS text[]), cast(:topics AS text[]), cast(:partitions AS int[]), cast(:offsets AS bigint[]), "
    "cast(:timestamps AS bigint[]), cast(:keys AS bytea[]), cast(:headers AS text[]), cast(:values AS bytea[]), "
    "cast(:reasons AS text[]), cast(:details AS text[]), :now)"
)


async def park(connection: AsyncConnection, letters: Sequence[DeadLetter], *, now: datetime) -> list[DeadLetter]:
    """Keep ``letters`` in the transaction of ``connection``; give those that were not kept before."""
    if not letters:
        return []
    by_id = {letter.id: letter for letter in letters}
    result = await connection.execute(
        _PARK,
        {
            "now": now,
            "ids": list(by_id),
            "organizations": [letter.organization_id for letter in by_id.values()],
            "groups": [letter.group for letter in by_id.values()],
            "topics": [letter.record.topic for letter in by_id.values()],
            "partitions": [letter.record.partition for letter in by_id.values()],
            "offsets": [letter.record.offset for letter in by_id.values()],
            "timestamps": [letter.record.timestamp_ms for letter in by_id.values()],
            "keys": [letter.record.key for letter in by_id.values()],
            "headers": [dump_headers(letter.record.headers) for letter in by_id.values()],
            "values": [letter.record.value for letter in by_id.values()],
            "reasons": [letter.reason for letter in by_id.values()],
            "details": [_readable(letter.detail)[:2000] for letter in by_id.values()],
        },
    )
    kept = set(result.scalars())
    return [letter for identifier, letter in by_id.items() if identifier in kept]
