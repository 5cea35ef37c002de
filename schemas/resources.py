"""The HTTP resources: what requests may hold and what answers hold; each model is a body of the API as it is.

Requests refuse unknown fields, so that a misspelt one is never silently ignored.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.text import EnvironmentName, Identifier, Sentence, Title
from schemas.vocabulary import (
    Decision,
    DeploymentStatus,
    Execution,
    Origin,
    PromotionStatus,
    RuleStatus,
    StatusReason,
)

Approvers = Annotated[int, Field(strict=True, ge=1, le=20)]
ItemT = TypeVar("ItemT")


class Request(BaseModel):
    """A body that a caller sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Resource(BaseModel):
    """A body that the API answers with; readers ignore fields that they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(Resource, Generic[ItemT]):
    """One page of a list; pass ``next_cursor`` as ``cursor`` for the next one, null at the end."""

    items: list[ItemT]
    next_cursor: str | None


class PromotionCreate(Request):
    """Ask for a promotion; the source environment comes from the source deployment."""

    agent_id: Identifier
    source_deployment_id: Identifier
    target_gateway_id: Identifier | None = None
    target_environment: EnvironmentName
    # Must be the caller's own organization and subject where they are given.
    organization_id: Identifier | None = None
    created_by: Identifier | None = None


class Approve(Request):
    """Vote for a promotion; an override needs a reason."""

    override_conditions: bool = False
    reason: Sentence | None = None
    approver_id: Identifier | None = None


class BreakGlass(Request):
    """Approve alone, in an emergency."""

    reason: Sentence


class Reject(Request):
    """Vote against a promotion: it ends."""

    reason: Sentence
    approver_id: Identifier | None = None


class Cancel(Request):
    """Take a promotion back."""

    reason: Sentence | None = None


class Vote(Resource):
    """One person's vote."""

    voter: str
    decision: Decision
    override_conditions: bool
    reason: str | None
    voted_at: AwareDatetime
    # Whether an administrator approved alone.
    break_glass: bool = False
    # Whether it counts no more: what it was cast for has changed, or its credential has been revoked.
    void: bool = False


class AppliedRule(Resource):
    """A rule version that applies to a promotion."""

    rule_id: UUID
    version: int
    name: str


class Promotion(Resource):
    """The request to create a deployment on a gateway of the next environment, and where it stands."""

    id: UUID
    organization_id: str
    agent_id: str
    source_deployment_id: str
    target_gateway_id: str | None
    source_environment: str | None
    target_environment: str
    deployment_version: str | None
    digest: str | None
    origin: Origin
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    requires_approval: bool | None
    required_approvers: int | None
    votes: list[Vote]
    rules: list[AppliedRule]
    execution: Execution
    approved_by: str | None
    approved_at: AwareDatetime | None
    rejection_reason: str | None
    target_deployment_id: str | None
    created_by: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    # Rises by one with each transition.
    version: int
    # Under which its spans are found, where traces are exported: the trace that came with the request, else its own id.
    trace_id: str | None = None


class HistoryEntry(Resource):
    """One transition of a promotion, or one vote that moved nothing yet."""

    version: int
    previous_status: PromotionStatus | None
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    actor: str
    # The key's own subject where a delegate acted for the actor.
    via: str | None
    at: AwareDatetime
    # What the transition rests on: the evaluation, the vote, the event.
    evidence: dict[str, Any]


class RuleWrite(Request):
    """A rule as it is created or replaced."""

    name: Title
    source_environment: EnvironmentName
    target_environment: EnvironmentName
    requires_approval: bool = True
    auto_promote: bool = False
    required_approvers: Approvers = 1
    conditions: dict[str, Any] | None = None
    status: RuleStatus = RuleStatus.ACTIVE
    execution: Execution = Execution.AUTOMATIC
    expires_after_seconds: Annotated[int, Field(strict=True, ge=60, le=365 * 86400)] = 30 * 86400
    target_gateway_id: Identifier | None = None
    organization_id: Identifier | None = None


class PromotionRule(Resource):
    """What a hop needs; ``version`` rises with each replacement and is the ETag."""

    id: UUID
    organization_id: str
    name: str
    source_environment: str
    target_environment: str
    requires_approval: bool
    auto_promote: bool
    required_approvers: int
    conditions: dict[str, Any] | None
    status: RuleStatus
    execution: Execution
    expires_after_seconds: int
    target_gateway_id: str | None
    version: int
    created_at: AwareDatetime
    created_by: str
    updated_at: AwareDatetime
    updated_by: str


class Deployment(Resource):
    """One version of an agent on one gateway."""

    deployment_id: str
    organization_id: str
    agent_id: str
    gateway_id: str
    environment: str
    version: str
    digest: str | None
    status: DeploymentStatus
    deployed_at: AwareDatetime
    active_since: AwareDatetime | None
    retired_at: AwareDatetime | None
    promotion_id: UUID | None
    error: str | None


class GatewayWrite(Request):
    """A gateway as it is replaced; the credential is written and never shown."""

    name: Title | None = None
    environment: EnvironmentName
    url: Annotated[str, Field(min_length=1, max_length=500)]
    credential: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[!-~]+$")] | None = None
    is_default: bool = False
    max_concurrency: Annotated[int, Field(strict=True, ge=1, le=1000)] = 64


class GatewayCreate(GatewayWrite):
    """A gateway as it is registered."""

    gateway_id: Identifier


class Gateway(Resource):
    """Where agents run: a runtime of one environment, reached over HTTP."""

    gateway_id: str
    organization_id: str
    name: str
    environment: str
    url: str
    has_credential: bool
    is_default: bool
    max_concurrency: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


FactField = Annotated[
    str, Field(pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,6}(\.\*)?)$", min_length=1, max_length=128)
]


class FactPublishers(Request):
    """Whose facts count: a field, a group (`tests.*`) or `*`, and the subjects of the keys that may observe it."""

    publishers: Annotated[dict[FactField, Annotated[list[Identifier], Field(max_length=50)]], Field(max_length=100)]


class Environments(Request):
    """The environments of an organization, in the order in which deployments move."""

    names: Annotated[list[EnvironmentName], Field(min_length=2, max_length=20)]


class Accepted(Resource):
    """What became of each posted event."""

    id: str
    type: str
    status: Literal["accepted"]


class AcceptedEvents(Resource):
    """The posted events, each of which is kept and will be published."""

    items: list[Accepted]


class Change(Resource):
    """One transition of a promotion, as the stream tells it."""

    promotion_id: UUID
    version: int
    previous_status: PromotionStatus | None
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    actor: str
    at: AwareDatetime


class ProblemItem(Resource):
    """One thing that is wrong with a request; ``path`` is a JSON Pointer into the body."""

    path: str
    code: str
    message: str
    hint: str


class ProblemDocument(Resource):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] = []
