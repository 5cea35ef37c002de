"""What a promotion is: the request, what the rules said of it, who voted, and where it stands."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult, Decision, Execution, Origin, PromotionStatus, StatusReason

# How long a promotion lives that no rule has been asked about yet.
DEFAULT_LIFETIME = timedelta(days=30)


class State(NamedTuple):
    """Where a promotion stands: the public status and the reason for it."""

    status: PromotionStatus
    reason: StatusReason


class Slot(NamedTuple):
    """What executes one promotion at a time."""

    organization_id: str
    agent_id: str
    gateway_id: str


class Place(NamedTuple):
    """Where one deployment is promoted to: of each, one promotion is under way at a time."""

    slot: Slot
    source_deployment_id: str


class Key(NamedTuple):
    """What identifies a promotion: ids of different organizations never meet."""

    organization_id: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, by whom and when; it never changes."""

    organization_id: str
    id: UUID
    agent_id: str
    source_deployment_id: str
    target_environment: str
    origin: Origin
    created_by: str
    created_at: datetime
    # The subject of the delegate that asked in the name of created_by.
    created_via: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the rules say that the request cannot be promoted at all."""

    code: StatusReason
    message: str


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One version of a rule, as it applied."""

    rule_id: UUID
    version: int
    name: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the rules said; ``holds_until`` is when the clock alone may change that."""

    number: int
    evaluated_at: datetime
    requires_approval: bool
    required_approvers: int
    conditions: ConditionsResult
    holds_until: datetime | None
    execution: Execution
    expires_after: timedelta
    rules: tuple[RuleVersion, ...]
    summary: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's vote; ``via`` is the delegate that brought it, ``key_id`` the API key that it was cast with.

    ``binds`` is the digest of what it was cast for, None before the first evaluation.
    """

    voter: str
    decision: Decision
    override_conditions: bool
    reason: str | None
    voted_at: datetime
    via: str | None = None
    binds: str | None = None
    # An administrator's, who approves alone.
    breaks_glass: bool = False
    key_id: str | None = None
    # Whether the key has been revoked since.
    revoked: bool = False

    @property
    def is_veto(self) -> bool:
        """Tell whether it is against the promotion."""
        return self.decision is Decision.REJECT


# Without slots, so that a step copies it at once.
@dataclass(frozen=True)
class Promotion:
    """A promotion as it stands at ``version``, which rises by one with each entry of its history."""

    request: Request
    state: State
    message: str
    version: int
    changed_at: datetime
    source_environment: str | None
    target_gateway_id: str | None
    deployment_version: str | None
    digest: str | None
    expires_at: datetime
    evaluation: Evaluation | None = None
    votes: tuple[Vote, ...] = ()
    # Whether somebody gave the execute command.
    released: bool = False
    approved_by: str | None = None
    approved_at: datetime | None = None
    # Who rejected or cancelled it.
    ended_by: str | None = None
    rejection_reason: str | None = None
    executing_at: datetime | None = None
    executing_version: int | None = None
    target_deployment_id: str | None = None
    completed_at: datetime | None = None

    def but(self, **changes: Any) -> Self:
        """Give this promotion with ``changes``: what ``dataclasses.replace`` does, in a tenth of the time."""
        if not changes.keys() <= self.__dict__.keys():
            raise TypeError(f"a promotion has no {', '.join(sorted(changes.keys() - self.__dict__.keys()))}")
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **changes)
        return changed

    @property
    def key(self) -> Key:
        """Identify the promotion."""
        return Key(self.request.organization_id, self.request.id)

    @property
    def slot(self) -> Slot | None:
        """Name what it executes in, once its gateway is known."""
        if self.target_gateway_id is None:
            return None
        return Slot(self.request.organization_id, self.request.agent_id, self.target_gateway_id)


@dataclass(frozen=True, slots=True)
class Cause:
    """Who or what moves a promotion, when, and on which evidence; ``event_id`` where an event brought it.

    ``traceparent`` is the trace context of what brought it, where there is one.
    """

    actor: str
    at: datetime
    evidence: Mapping[str, object]
    via: str | None = None
    event_id: str | None = None
    traceparent: str | None = None
