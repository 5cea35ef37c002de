"""The data of every event, one model a topic, and the event that carries it.

Readers ignore what they do not know, so that a newer writer stays readable; writers write every field.
"""

from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas import topics
from schemas.moments import Moment
from schemas.text import EnvironmentName, Identifier, Sentence, Version
from schemas.values import dataclass
from schemas.vocabulary import (
    ConditionsResult,
    DeploymentOutcome,
    Execution,
    Origin,
    PromotionStatus,
    StatusReason,
)

Count = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,6}$", max_length=120)]


class EventData(BaseModel):
    """What every event's data has."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    organization_id: Identifier

    @classmethod
    def trusted(cls, **every_field: Any) -> Self:
        """Make the data from every one of its fields, unchecked: for emitters, of values that are checked already.

        For a model without aliases and private attributes it is ``model_construct`` in a quarter of the time.
        """
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", every_field)
        object.__setattr__(made, "__pydantic_fields_set__", set(every_field))
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made


class PromotionRequested(EventData):
    """Somebody, another service or the trigger asks for a promotion."""

    promotion_id: UUID | None = None
    agent_id: Identifier
    source_deployment_id: Identifier
    target_gateway_id: Identifier | None = None
    target_environment: EnvironmentName
    created_by: Identifier
    created_at: Moment | None = None
    origin: Origin = Origin.EVENT
    # Which rule asked, where the trigger did.
    rule_id: UUID | None = None
    rule_version: int | None = None


class RuleReference(BaseModel):
    """One version of a rule, as it applied."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule_id: UUID
    version: int
    name: str


class Refusal(BaseModel):
    """Why a request cannot be promoted at all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: StatusReason
    message: str


class RulesEvaluated(EventData):
    """What the rules say of one request; carries the request whole, so that it can be inserted from here."""

    promotion_id: UUID
    number: int = Field(ge=1)
    evaluated_at: Moment
    agent_id: Identifier
    source_deployment_id: Identifier
    source_environment: EnvironmentName | None
    target_gateway_id: Identifier | None
    target_environment: EnvironmentName
    created_by: Identifier
    created_at: Moment
    origin: Origin
    deployment_version: Version | None
    digest: Version | None
    refusal: Refusal | None = None
    requires_approval: bool = True
    required_approvers: int = Field(default=1, ge=0, le=20)
    conditions: ConditionsResult = ConditionsResult.NONE
    # The next instant at which the clock alone may change the conditions; executing later needs a new evaluation.
    holds_until: Moment | None = None
    execution: Execution = Execution.AUTOMATIC
    expires_after_seconds: int = Field(default=30 * 86400, ge=1)
    rules: tuple[RuleReference, ...] = ()
    summary: str = ""
    explanation: dict[str, Any] | None = None


class PromotionApproved(EventData):
    """The order to execute: create this deployment on that gateway, once."""

    promotion_id: UUID
    agent_id: Identifier
    target_gateway_id: Identifier
    target_environment: EnvironmentName
    source_deployment_id: Identifier
    deployment_version: Version
    digest: Version | None
    executing_at: Moment
    # The promotion's version when it began to execute: orders executions of one slot.
    version: int


class DeploymentCompleted(EventData):
    """A deployment came to be, failed or was removed, on a gateway of an environment."""

    deployment_id: Identifier
    agent_id: Identifier
    environment: EnvironmentName
    gateway_id: Identifier
    version: Version
    digest: Version | None = None
    status: DeploymentOutcome
    deployed_at: Moment
    promotion_id: UUID | None = None
    error: Sentence | None = None
    # From the executor alone: gateway_refused, gateway_unreachable or timed_out.
    error_code: StatusReason | None = None


class TestsCompleted(EventData):
    """A run of a test suite against a deployment started or finished."""

    __test__ = False

    deployment_id: Identifier
    suite: Identifier
    run_id: Identifier
    status: Literal["started", "finished"] = "finished"
    passed: Count | None = None
    failed: Count | None = None
    errors: Count | None = None
    skipped: Count | None = None
    outcome: Literal["success", "failure", "error", "cancel"] | None = None


class MetricsObserved(EventData):
    """Metrics were measured of a deployment."""

    deployment_id: Identifier
    metrics: dict[MetricName, Decimal | None] = Field(min_length=1, max_length=100)
    window_seconds: Annotated[int, Field(ge=1)] | None = None
    sample_count: Count | None = None


class PromotionChanged(EventData):
    """A promotion made a transition: for the console, webhooks and anyone else."""

    promotion_id: UUID
    version: int
    agent_id: Identifier
    source_deployment_id: Identifier
    target_gateway_id: Identifier | None
    source_environment: EnvironmentName | None
    target_environment: EnvironmentName
    previous_status: PromotionStatus | None
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    actor: str
    at: Moment
    target_deployment_id: Identifier | None = None
    # Whether an administrator approved alone in this very step.
    break_glass: bool = False


DATA_OF_TOPIC: dict[str, type[EventData]] = {
    topics.PROMOTION_REQUESTED: PromotionRequested,
    topics.RULES_EVALUATED: RulesEvaluated,
    topics.PROMOTION_APPROVED: PromotionApproved,
    topics.DEPLOYMENT_COMPLETED: DeploymentCompleted,
    topics.TESTS_COMPLETED: TestsCompleted,
    topics.METRICS_OBSERVED: MetricsObserved,
    topics.PROMOTION_CHANGED: PromotionChanged,
}


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvent of ours: its attributes and its data; ``key`` is the Kafka record's key."""

    topic: str
    key: str
    id: str
    source: str
    subject: str
    time: datetime
    data: EventData
    # Optional attributes that travel along: traceparent, correlationid, causationid.
    extensions: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Name the CloudEvents type."""
        return event_type(self.topic)


def event_type(topic: str) -> str:
    """Name the CloudEvents type of the events of ``topic``."""
    return f"studio.{topic}.v1"


def event_source(service: str, organization_id: str) -> str:
    """Name the CloudEvents source of what ``service`` emits for ``organization_id``."""
    return f"/{service}/{organization_id}"
