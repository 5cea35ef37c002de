"""The lines of a gateway's log, one JSON object each, and two ways to read them back: as records, as state.

Checkers read a log while its gateway runs, or after it was killed: only a torn last line is forgiven.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from studio.gateway.state import Effect, GatewayState, apply


class LogCorruptError(Exception):
    """A whole line cannot be read: the log was changed by somebody else, or the disk is failing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A gateway took the log over; what it had not written before then, it never answered."""

    gateway_id: str
    environment: str
    fsync: bool
    at: datetime
    record: Literal["started"] = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReceived:
    """A request, numbered across restarts, before anything was decided about it."""

    request: int
    method: str
    path: str
    key: str | None
    body_sha256: str
    fencing_token: int | None
    traceparent: str | None
    at: datetime
    record: Literal["request"] = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectApplied:
    """What a request changed. A request may have several effects, or one long after it was answered."""

    request: int
    effect: Annotated[Effect, Field(discriminator="kind")]
    record: Literal["effect"] = "effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultApplied:
    """The lie or trouble that a script's rule (counted from 0) added to a request."""

    request: int
    rule: int
    fault: str
    at: datetime
    record: Literal["fault"] = "fault"


Record = Annotated[Started | RequestReceived | EffectApplied | FaultApplied, Field(discriminator="record")]
_RECORD: TypeAdapter[Started | RequestReceived | EffectApplied | FaultApplied] = TypeAdapter(Record)
AnyRecord = Started | RequestReceived | EffectApplied | FaultApplied

_WRITERS: dict[type[AnyRecord], TypeAdapter[AnyRecord]] = {
    kind: TypeAdapter(kind) for kind in (Started, RequestReceived, EffectApplied, FaultApplied)
}


def to_line(record: AnyRecord) -> bytes:
    """One line of the log, its newline included."""
    return _WRITERS[type(record)].dump_json(record) + b"\n"


def read_log(path: Path) -> Iterator[AnyRecord]:
    """Every whole record in order of writing; raises `LogCorruptError` for a whole line that is none."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _RECORD.validate_json(line)
            except ValidationError as error:
                raise LogCorruptError(
                    f"{path} line {number} is not a record of a gateway's log: {line[:200]!r}. "
                    "Move the log aside to start with an empty gateway, or restore it."
                ) from error


def fold(records: Iterable[AnyRecord]) -> GatewayState:
    """The state that the effects among the records lead to."""
    state = GatewayState()
    for record in records:
        if isinstance(record, EffectApplied):
            apply(state, record.effect)
    return state


def folded_state(path: Path) -> GatewayState:
    """What the gateway of this log hosts."""
    return fold(read_log(path))
