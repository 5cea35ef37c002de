"""Resources for those who look after the system: dead letters, and the proof that a history is whole."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.moments import Moment
from schemas.resources import Request, Resource
from schemas.text import Identifier, Sentence


class LetterState(StrEnum):
    """What was done with a dead letter: nothing yet, or one of two things that are never undone."""

    PARKED = "parked"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class DeadLetterGlance(Resource):
    """A record that could not be handled, as a list shows it; without an organization only operators see it."""

    id: UUID
    state: LetterState
    organization_id: str | None
    topic: str
    partition: int
    offset: int
    consumer_group: str
    # A stable code, and a sentence.
    reason: str
    detail: str
    size_bytes: int
    produced_at: AwareDatetime | None
    parked_at: AwareDatetime
    replayed_at: AwareDatetime | None
    discarded_at: AwareDatetime | None
    handled_by: str | None
    discard_reason: str | None


class LetterHeader(Resource):
    """One header of a record; ``text`` is for reading, ``value_base64`` is what it was."""

    name: str
    value_base64: str | None
    text: str | None


class DeadLetter(DeadLetterGlance):
    """A dead letter whole; ``preview`` is the beginning of its value as text, for reading."""

    key_base64: str | None
    value_base64: str | None
    headers: list[LetterHeader]
    preview: str


class Discard(Request):
    """Discard a dead letter: nobody will handle it, its bytes are kept."""

    reason: Sentence


class ReplayMany(Request):
    """Replay every dead letter that fits, oldest first, as many as one call takes."""

    topic: Identifier | None = None
    reason: Identifier | None = None
    group: Identifier | None = None
    # Those that fail again are parked anew, later; without this a caller that goes on until none is left never ends.
    parked_before: Moment | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=500)] = 100


class Replayed(Resource):
    """What one call replayed; ``more`` tells whether another one would find some."""

    replayed: int
    more: bool


class AuditCut(Resource):
    """Where a history begins whose older months were let go: it can be reckoned from ``sequence`` on.

    With ``month`` (as 2026-01) went ``entries`` of its entries; ``kept`` of those up to ``sequence`` stayed, since they
    are of promotions that were asked for later. The cut is an entry of the chain, so that every later head covers it.
    """

    month: str
    sequence: int
    hash: str
    entries: int
    kept: int
    actor: str
    at: AwareDatetime


class AuditHead(Resource):
    """The end of an organization's history: kept elsewhere, it proves later that nothing before it was changed."""

    organization_id: str
    sequence: int
    hash: str
    # When the last entry was made; null where there is none.
    at: AwareDatetime | None
    # Null where nothing was let go.
    cut: AuditCut | None


class AuditBreak(Resource):
    """The first entry that does not follow from those before it; ``promotion_id`` where there is such an entry."""

    sequence: int
    problem: str
    promotion_id: UUID | None


class AuditVerification(Resource):
    """How far a history holds: every entry from ``after`` to ``sequence``, whose hash is ``hash``.

    Where there is a ``cut``: of the entries up to it those that were kept, whose hash is another one.
    """

    organization_id: str
    after: int
    sequence: int
    hash: str
    complete: bool
    broken: AuditBreak | None
    cut: AuditCut | None
