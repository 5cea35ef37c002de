"""Compressed batches that cannot be opened: each becomes one record that holds its raw bytes, so that it can be parked.

By itself Kafka's client raises from every fetch that meets such a batch, and its partition stands still for ever. The
client has no seam for it, so that two names of its fetcher are replaced; its version is pinned for that.
"""

import struct
from collections.abc import Iterator
from typing import Any

import structlog
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord

from schemas.cloudevents import Headers, Unreadable

# The header of the record that stands for an unreadable batch; its value says what was the matter.
UNREADABLE_BATCH = "unreadable-batch"
_ENTRY = struct.Struct(">qi")
# Where in a batch of the present format the offset of its last record stands, counted from its first.
_LAST_OFFSET_DELTA = struct.Struct(">i")
_LAST_OFFSET_DELTA_AT = 23

_log = structlog.get_logger()


class _KeptRecords(MemoryRecords):  # type: ignore[misc]
    """The batches of one fetch, with the bytes that they were read from."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = bytes(data)


class _PatientRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch, in which an unreadable batch is one record."""

    def _unpack_records(self) -> Iterator[Any]:
        reading = super()._unpack_records()
        while True:
            try:
                record = next(reading)
            except StopIteration:
                return
            except Exception as error:
                # Each codec has errors of its own, and after none of them is more to be had.
                offset: int = self.next_fetch_offset
                raw, following = _batch_at(self._records.data, offset)
                if raw is None or _is_damaged(error):
                    raise
                _log.error("batch unreadable", topic=self._tp.topic, partition=self._tp.partition, error=repr(error))
                # The position is taken from here whenever the reader stops.
                self.next_fetch_offset: int = following
                yield _standing_for(self._tp, raw, offset, error)
                reading = super()._unpack_records()
            else:
                yield record


def _is_damaged(error: Exception) -> bool:
    # A wrong checksum may come from the way here, so that the batch is worth another fetch.
    return "Invalid CRC" in str(error)


def _batch_at(data: bytes, offset: int) -> tuple[bytes | None, int]:
    """Find the batch that holds ``offset``; give it with the offset that follows it."""
    position = 0
    while position + _LAST_OFFSET_DELTA_AT + _LAST_OFFSET_DELTA.size <= len(data):
        first, length = _ENTRY.unpack_from(data, position)
        end = position + _ENTRY.size + length
        (delta,) = _LAST_OFFSET_DELTA.unpack_from(data, position + _LAST_OFFSET_DELTA_AT)
        if first + delta >= offset:
            return data[position:end], first + delta + 1
        position = end
    return None, offset


def _standing_for(partition: Any, raw: bytes, offset: int, error: Exception) -> Any:
    why = f"{type(error).__name__}: {error}".encode()[:500]
    return ConsumerRecord(
        partition.topic, partition.partition, offset, 0, 0, None, raw, None, -1, len(raw), ((UNREADABLE_BATCH, why),)
    )


def refuse_unreadable_batch(headers: Headers) -> None:
    """Raise Unreadable for a record that stands for an unreadable batch."""
    for name, why in headers[:1]:
        if name == UNREADABLE_BATCH:
            told = (why or b"").decode("utf-8", "replace")
            raise Unreadable("unreadable_compression", f"the batch cannot be decompressed ({told}); its bytes are kept")


def tolerate_unreadable_batches() -> None:
    """Have Kafka's client go on past batches that cannot be opened."""
    fetcher.MemoryRecords = _KeptRecords
    fetcher.PartitionRecords = _PatientRecords
