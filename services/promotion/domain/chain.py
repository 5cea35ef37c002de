"""The hash chain over an organization's history: each entry's hash covers its content and the hash before it.

Pure. The content is a JSON array of the entry's columns in the order of ``content``, with no space and no escape that
JSON does not need; the evidence stands in it as the very text that is stored.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from pydantic_core import to_json

from schemas.values import dataclass

GENESIS = bytes(32)
REWRITTEN = "the entry does not say what it said when it was made"

_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the history, before it has a place in the chain."""

    organization_id: str
    promotion_id: UUID
    version: int
    previous_status: str | None
    status: str
    status_reason: str
    status_message: str
    actor: str
    via: str | None
    at: datetime
    # Canonical JSON text.
    evidence: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of an organization's chain: its number and its hash."""

    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Link:
    """The place of an entry in its organization's chain."""

    seq: int
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A link as it is stored, with the bytes that its hash covers.

    ``month`` and ``promotion_id`` are those of an entry of a promotion; the record of a cut has neither.
    """

    content: bytes
    link: Link
    month: date | None = None
    promotion_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """The first place at which a chain does not hold, and how; ``promotion_id`` where there is such an entry."""

    seq: int
    problem: str
    promotion_id: UUID | None = None


def evidence_text(evidence: Mapping[str, object]) -> str:
    """Write evidence as it is stored and hashed: keys sorted, text, whole numbers, booleans, null and lists of them."""
    return _canonical.encode(evidence)


def content(entry: Entry) -> bytes:
    """Give the bytes of ``entry`` that its hash covers."""
    columns = [
        entry.organization_id, str(entry.promotion_id), entry.version, entry.previous_status, entry.status,
        entry.status_reason, entry.status_message, entry.actor, entry.via,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"), entry.evidence,
    ]  # fmt: skip
    return to_json(columns)


def link(head: Head, entry_content: bytes) -> Link:
    """Append an entry after ``head``."""
    seq = head.seq + 1
    digest = hashlib.sha256(head.hash + seq.to_bytes(8, "big") + entry_content).digest()
    return Link(seq, head.hash, digest)


def walk(stored: Iterable[Stored], start: Head) -> tuple[Head, Break | None]:
    """Follow ``stored`` from ``start``; give how far it holds, and the first that does not follow."""
    head = start
    for each in stored:
        found, expected = each.link, link(head, each.content)
        if found.seq != expected.seq:
            return head, Break(expected.seq, f"the entry is missing; {found.seq} comes next")
        if found.previous_hash != head.hash:
            return head, Break(found.seq, "the entry does not continue the one before it", each.promotion_id)
        if found.hash != expected.hash:
            return head, Break(found.seq, REWRITTEN, each.promotion_id)
        head = Head(found.seq, found.hash)
    return head, None


def end(reached: Head, head: Head) -> Break | None:
    """Tell what is wrong where the entries end at ``reached`` and the chain's head is ``head``."""
    if reached.seq < head.seq:
        return Break(reached.seq + 1, f"the entry is missing; there have to be {head.seq}")
    if reached.seq > head.seq:
        return Break(head.seq + 1, f"the history's head says that it ends with entry {head.seq}")
    return None if reached.hash == head.hash else Break(head.seq, "the history's head has another hash than this entry")


def links(head: Head, contents: Sequence[bytes]) -> tuple[list[Link], Head]:
    """Append entries after ``head``; give their links and the new head."""
    made: list[Link] = []
    for each in contents:
        made.append(link(head, each))
        head = Head(made[-1].seq, made[-1].hash)
    return made, head
