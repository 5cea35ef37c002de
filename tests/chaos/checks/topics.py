"""What lay on the topics, raw, against the histories and the dead letters."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas import topics
from schemas.cloudevents import decode
from schemas.events import PromotionApproved, PromotionChanged
from schemas.topics import CONSUMED_BY, consumer_group
from tests.chaos.evidence import Evidence
from tests.chaos.witness import Seen

# What was published so shortly before the broker lost its data may have been seen by nobody.
_UNSEEN_SECONDS = 20.0
_POISON = b"poison"


def told_in_two_ways(evidence: Evidence) -> Iterator[str]:
    """I23: a repeat is equal to what it repeats, byte for byte."""
    values: dict[tuple[str, str], set[tuple[Any, bytes | None]]] = defaultdict(set)
    for seen in _good(evidence):
        values[seen.record.topic, seen.identifier].add((seen.record.headers, seen.record.value))
    for (topic, identifier), variants in values.items():
        if len(variants) > 1:
            yield f"I23: {identifier} of {topic} was told in {len(variants)} ways"


def made_up_or_out_of_order(evidence: Evidence) -> Iterator[str]:
    """I23: every change that was told is in a history, and was told after those before it."""
    latest: dict[UUID, int] = {}
    known: set[tuple[UUID, int]] = set()
    for _, event in _changes(evidence):
        if (event.promotion_id, event.version) in known:
            continue
        known.add((event.promotion_id, event.version))
        steps = evidence.history.get(event.promotion_id, ())
        if not 1 <= event.version <= len(steps):
            yield f"I23: version {event.version} of {event.promotion_id} was told and is not there"
            continue
        step = steps[event.version - 1]
        if (step["status"], step["status_reason"]) != (event.status, event.status_reason):
            yield f"I23: version {event.version} of {event.promotion_id} was told as {event.status}"
        if event.version < latest.get(event.promotion_id, 0):
            yield f"I23: version {event.version} of {event.promotion_id} was told after a later one"
        latest[event.promotion_id] = max(event.version, latest.get(event.promotion_id, 0))


def never_told(evidence: Evidence) -> Iterator[str]:
    """I23: every change was told, and every beginning was ordered, but for what a broker lost with its data."""
    told = {(event.promotion_id, event.version) for _, event in _changes(evidence)}
    ordered = {event.promotion_id for event in _orders(evidence)}
    for identifier, steps in evidence.history.items():
        for step in steps:
            if _could_be_lost(evidence, step["at"]):
                continue
            if (identifier, step["version"]) not in told:
                yield f"I23: version {step['version']} of {identifier} was never told"
            if step["status_reason"] == "executing" and identifier not in ordered:
                yield f"I23: {identifier} began to execute and was never ordered"


def neither_done_nor_parked(evidence: Evidence) -> Iterator[str]:
    """I25: poison is parked by everyone who had it before them, and nothing else is."""
    parked = Counter((row["consumer_group"], row["key"]) for row in evidence.letters)
    for row in evidence.letters:
        if not (row["key"] or b"").startswith(_POISON):
            yield f"I25: {row['consumer_group']} parked a good record: {row['reason']}: {row['detail']}"
    for struck in evidence.struck:
        for record in struck.poison:
            for service, consumed in CONSUMED_BY.items():
                group = consumer_group(service, record.topic)
                if record.topic in consumed and not parked[group, record.key] and not _wiped(evidence, struck.began_at):
                    yield f"I25: {group} never parked {record.key!r}"


def _good(evidence: Evidence) -> Iterator[Seen]:
    for seen in evidence.seen:
        if not (seen.record.key or b"").startswith(_POISON) and seen.identifier:
            yield seen


def _changes(evidence: Evidence) -> Iterator[tuple[Seen, PromotionChanged]]:
    for seen in _good(evidence):
        if seen.record.topic == topics.PROMOTION_CHANGED:
            data = _read(seen)
            assert isinstance(data, PromotionChanged)
            yield seen, data


def _orders(evidence: Evidence) -> Iterator[PromotionApproved]:
    for seen in _good(evidence):
        if seen.record.topic == topics.PROMOTION_APPROVED:
            data = _read(seen)
            assert isinstance(data, PromotionApproved)
            yield data


def _read(seen: Seen) -> Any:
    record = seen.record
    return decode(topic=record.topic, key=record.key, headers=record.headers, value=record.value).data


def _could_be_lost(evidence: Evidence, at: datetime) -> bool:
    return _wiped(evidence, at.timestamp())


def _wiped(evidence: Evidence, at: float) -> bool:
    return any(struck.wiped and 0 <= struck.began_at + 1 - at < _UNSEEN_SECONDS for struck in evidence.struck)
