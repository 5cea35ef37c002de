"""What a gateway's answer means: bytes and a status in, one of a closed set of meanings out.

Where an answer is not exactly what the contract says, its meaning is unknown, and the key is looked up.
"""

from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.values import dataclass
from services.executor.domain.execution import Order

MAX_ERROR_CHARACTERS = 500
HIDDEN = "[redacted]"


class Call(StrEnum):
    """What can be asked of a gateway about one key."""

    PUT = "PUT"
    LOOK_UP = "GET"
    FENCE = "DELETE"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came; ``body`` is whole. ``credential`` is what the call showed, to be told to nobody."""

    status: int
    content_type: str
    retry_after: str | None
    body: bytes
    credential: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There was no whole answer; ``sent`` tells whether the request may have arrived."""

    reason: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Created:
    """The deployment came to be by this call."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The deployment is there, by an earlier call."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing has this key (yet: an earlier call may still arrive)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway will never take this order."""

    reason: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something else than what was ordered has this key."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """The key will never be live (again)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The gateway does not accept our credential; nothing happened, and somebody can correct it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request certainly did not arrive."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the call took effect cannot be told; ``struggling`` is whether that speaks against the gateway."""

    reason: str
    retry_after_seconds: float | None = None
    struggling: bool = True


Reply = Created | Exists | Absent | Refused | Conflict | Fenced | Denied | Unsent | Unknown


class _Resource(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    deployment_id: str
    organization_id: str
    agent_id: str
    version: str
    digest: str | None
    environment: str
    gateway_id: str
    source_deployment_id: str
    status: str


class _Problem(BaseModel):
    code: Annotated[str, Field(max_length=100)] = ""
    detail: Annotated[str, Field(max_length=100_000)] = ""


def read_reply(call: Call, order: Order, answer: Answer | NoAnswer, *, now: datetime) -> Reply:
    """Say what ``answer`` to ``call`` means for ``order``; ``now`` is when it came."""
    if isinstance(answer, NoAnswer):
        return Unknown(answer.reason) if answer.sent else Unsent(answer.reason)
    if 200 <= answer.status < 300:
        return _read_success(call, order, answer)
    if answer.status == HTTPStatus.GONE:
        return Fenced(_told(answer))
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Denied(f"{_told(answer)}; correct the gateway's credential with PUT /gateways/{order.gateway_id}")
    if answer.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        return Unknown(_told(answer), _retry_after_seconds(answer, now=now), struggling=False)
    if answer.status == HTTPStatus.NOT_FOUND and call is Call.LOOK_UP:
        return Absent()
    if answer.status == HTTPStatus.CONFLICT:
        return _read_conflict(call, answer)
    if 400 <= answer.status < 500 and call is Call.PUT:
        return Refused(_told(answer))
    return Unknown(_told(answer), _retry_after_seconds(answer, now=now), struggling=answer.status >= 500)


def _read_success(call: Call, order: Order, answer: Answer) -> Reply:
    if call is Call.FENCE:
        if answer.status == HTTPStatus.NO_CONTENT:
            return Fenced("the gateway confirmed it")
        return Unknown(f"{answer.status} does not confirm a DELETE; 204 does")
    if answer.status not in ({200, 201} if call is Call.PUT else {200}):
        return Unknown(f"{answer.status} is not an answer to {call}")
    if answer.content_type != "application/json":
        return Unknown(f"{answer.status} with content type {_shown(answer, answer.content_type)!r}")
    try:
        found = _Resource.model_validate_json(answer.body)
    except ValidationError:
        return Unknown(f"{answer.status} with a body that is not a deployment")
    if found.deployment_id != order.key:
        return Unknown(f"{answer.status} about another deployment, {_shown(answer, found.deployment_id)!r}")
    differing = [name for name, value in order.content.items() if getattr(found, name) != value]
    if differing and call is Call.PUT:
        return Unknown(f"{answer.status} with other content in {', '.join(differing)}")
    if differing:
        return Conflict(f"the key exists with other content in {', '.join(differing)}")
    return Created() if answer.status == HTTPStatus.CREATED else Exists()


def _read_conflict(call: Call, answer: Answer) -> Reply:
    if call is not Call.FENCE and _problem(answer).code == "content_mismatch":
        return Conflict(_told(answer))
    # Also a stale fencing token: whoever took over writes the outcome, and our own write will find its lease gone.
    return Unknown(_told(answer), struggling=False)


def _problem(answer: Answer) -> _Problem:
    try:
        return _Problem.model_validate_json(answer.body)
    except ValidationError:
        return _Problem()


def _told(answer: Answer) -> str:
    problem = _problem(answer)
    return f"{answer.status} {_shown(answer, problem.code)} {_shown(answer, problem.detail)}".strip()


def _shown(answer: Answer, text: str) -> str:
    # It ends in logs, rows, events and consoles; a gateway may say what it was sent.
    text = without_credential(text, answer.credential)
    return "".join(character if " " <= character <= "~" else "?" for character in text[:MAX_ERROR_CHARACTERS])


def without_credential(text: str, credential: str | None) -> str:
    """Give ``text`` with the credential that a call showed hidden, wherever it is repeated."""
    return text.replace(credential, HIDDEN) if credential else text


def _retry_after_seconds(answer: Answer, *, now: datetime) -> float | None:
    value = answer.retry_after
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
