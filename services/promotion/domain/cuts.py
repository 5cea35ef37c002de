"""Cuts: what is recorded of the beginning of an organization's history when a month of it is let go.

Pure. The record is itself a link of the chain, so that every head after it covers it. It says where the chain can be
reckoned from, and what was kept of the entries before: those of later months' promotions, which lie among the ones that
went. They are proved by a hash of their own, ``kept_hash``, since the chain has holes there.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime

from schemas.values import dataclass
from services.promotion.domain.chain import GENESIS, REWRITTEN, Break, Head, Stored, evidence_text, link


@dataclass(frozen=True, slots=True)
class Cut:
    """One organization's part of a month that was let go."""

    organization_id: str
    # Its first day.
    month: date
    # The last entry that went, or that an earlier cut ends with: what comes after it follows from it.
    head: Head
    # How many entries went with this month, and how many links before ``head`` stayed.
    entries: int
    kept: int
    kept_hash: bytes
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of the links before a cut: how many they are, and the hash over them."""

    count: int = 0
    hash: bytes = GENESIS

    def and_(self, stored: Stored) -> "Kept":
        """Give what it is with one link more."""
        return Kept(self.count + 1, _over(self.hash, stored))


def content(cut: Cut) -> bytes:
    """Give the bytes of the record that its hash covers."""
    return evidence_text(
        {
            "organization_id": cut.organization_id,
            "month": cut.month.isoformat(),
            "sequence": cut.head.seq,
            "hash": cut.head.hash.hex(),
            "entries": cut.entries,
            "kept": cut.kept,
            "kept_hash": cut.kept_hash.hex(),
            "actor": cut.actor,
            "at": cut.at.astimezone(UTC).isoformat(timespec="microseconds"),
        }
    ).encode()


def walk_kept(stored: Iterable[Stored], start: Head) -> tuple[Head, Break | None]:
    """Follow what was kept before a cut; ``start`` and the answer hold the hash over it instead of the chain's."""
    reached = start
    for each in stored:
        if link(Head(each.link.seq - 1, each.link.previous_hash), each.content).hash != each.link.hash:
            return reached, Break(each.link.seq, REWRITTEN, each.promotion_id)
        reached = Head(each.link.seq, _over(reached.hash, each))
    return reached, None


def end_of_kept(reached: Head, cut: Cut) -> Break | None:
    """Tell whether what was kept before ``cut``, followed to its end, is what was recorded of it."""
    if reached.hash == cut.kept_hash:
        return None
    return Break(
        cut.head.seq,
        f"the history is cut here, and what is kept of the entries before is not what was kept at the cut: {cut.kept} "
        "of them. A hash that was kept of one of them proves nothing any more: take the cut's own, or a later head",
    )


def _over(running: bytes, stored: Stored) -> bytes:
    return hashlib.sha256(running + stored.link.seq.to_bytes(8, "big") + stored.link.hash).digest()
