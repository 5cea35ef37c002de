"""The kinds of poison, made out of a good record of any topic; each says whether it has to be parked, and why."""

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiokafka.record.util import calc_crc32c

from schemas.cloudevents import EncodedRecord

REPLY_TOPIC = "metrics.observed"
# The records of this kind are whole batches, made by hand.
UNREADABLE = "unreadable compression"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: how it is made, and the code under which it is parked, None where it is a good record all the same."""

    make: Callable[[EncodedRecord], EncodedRecord]
    reason: str | None


def _with(name: str, value: bytes | None) -> Callable[[EncodedRecord], EncodedRecord]:
    def make(good: EncodedRecord) -> EncodedRecord:
        return replace(good, headers=tuple((key, value if key == name else raw) for key, raw in good.headers))

    return make


def _valued(value: bytes | None) -> Callable[[EncodedRecord], EncodedRecord]:
    return lambda good: replace(good, value=value)


def _padded(good: EncodedRecord) -> EncodedRecord:
    data = json.loads(good.value or b"{}")
    return replace(good, value=json.dumps({**data, "padding": "x" * 950_000}).encode())


KINDS: dict[str, Kind] = {
    "bad JSON": Kind(_valued(b'{"organization_id": '), "bad_json"),
    "wrong schema": Kind(_valued(b'{"organization_id":"acme"}'), "wrong_schema"),
    "tombstone": Kind(_valued(None), "tombstone"),
    "null header": Kind(_with("ce_id", None), "bad_header"),
    "header not UTF-8": Kind(_with("ce_source", b"\xff\xfe"), "bad_header"),
    "1 MB": Kind(_padded, "too_large"),
    "deep nesting": Kind(_valued(b"[" * 100_000), "bad_json"),
    "future version": Kind(_with("ce_type", b"studio.something.v9"), "wrong_type"),
    "null key": Kind(lambda good: replace(good, key=None), None),
    "reply_to": Kind(
        lambda good: replace(good, headers=(*good.headers, ("reply_to", REPLY_TOPIC.encode()), ("x-odd", None))), None
    ),
}


def unreadable_batch(value: bytes) -> bytes:
    """Give a batch of one record that says that it is compressed with gzip, and is not."""
    payload = gzip.compress(value)[:-9] + b"\xff" * 9
    # After the checksum: attributes, last offset delta, first and last timestamp, producer, epoch, sequence, count.
    tail = struct.pack(">hiqqqhii", 1, 0, 0, 0, -1, -1, -1, 1) + payload
    head = struct.pack(">iBI", 0, 2, calc_crc32c(tail)) + tail
    return struct.pack(">qi", 0, len(head)) + head
