"""The HTTP resources that explain: what is known of a deployment, what rules make of it, what a promotion waits for."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from schemas.resources import Request, Resource, RuleWrite
from schemas.text import Identifier
from schemas.vocabulary import ConditionsResult, PromotionStatus, RuleStatus, StatusReason


class KnownFact(Resource):
    """One fact of a deployment; ``state`` is why it cannot be used now, null where it can."""

    field: str
    value: Any
    unit: str | None
    observed_at: AwareDatetime | None
    age_seconds: int | None
    # When it grows stale by the field's own limit; a rule may set another.
    expires_at: AwareDatetime | None
    state: str | None
    source: str | None
    event_id: str | None


class DeploymentFacts(Resource):
    """Everything known of a deployment; facts may come before the deployment itself is announced."""

    deployment_id: str
    announced: bool
    evaluated_at: AwareDatetime
    items: list[KnownFact]


class Obstacle(Resource):
    """Why a rule starts nothing, whatever its conditions say; ``code`` is stable."""

    code: str
    message: str


class RuleStanding(Resource):
    """What one rule makes of a deployment; ``explanation`` is the whole tree of its conditions."""

    rule_id: UUID | None
    version: int | None
    name: str
    status: RuleStatus
    auto_promote: bool
    requires_approval: bool
    required_approvers: int
    conditions: ConditionsResult
    would_promote: bool
    obstacle: Obstacle | None
    summary: str
    next_change_at: AwareDatetime | None
    # Since when the service knows the conditions to be worth this, for rules that act by themselves and shadows.
    recorded_since: AwareDatetime | None
    explanation: dict[str, Any] | None


class QueuePlace(Resource):
    """A place among the promotions that a changed rule made due, of which so many are started a minute."""

    position: int
    queued_at: AwareDatetime
    started_per_minute: int


class PromotionGlance(Resource):
    """A promotion of the deployment to the next environment."""

    promotion_id: UUID
    origin: str
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str


class DeploymentExplanation(Resource):
    """Why a deployment is promoted by itself, or is not."""

    deployment_id: str
    agent_id: str
    environment: str
    target_environment: str | None
    evaluated_at: AwareDatetime
    would_promote: bool
    summary: str
    next_change_at: AwareDatetime | None
    rules: list[RuleStanding]
    promotions: list[PromotionGlance]
    queue: QueuePlace | None


class EvaluationGlance(Resource):
    """What the rules said of a promotion at one instant."""

    number: int | None
    evaluated_at: AwareDatetime
    conditions: ConditionsResult
    summary: str
    requires_approval: bool
    required_approvers: int
    holds_until: AwareDatetime | None
    refusal: str | None
    rules: list[dict[str, Any]]


class Approvals(Resource):
    """How many votes a promotion has and needs."""

    given: int
    required: int
    # Who may not vote: the requester.
    not_by: str


class ExecutionGlance(Resource):
    """How far the gateway is."""

    attempts: int
    next_attempt_at: AwareDatetime | None
    deadline_at: AwareDatetime | None
    last_error: str | None


class Way(Resource):
    """Something that would move a promotion, and who can do it; ``at`` where the clock alone does."""

    what: str
    who: str
    at: AwareDatetime | None = None


class ChangedRule(Resource):
    """A rule of the promotion that has changed since; null ``version_now`` means that it was deleted."""

    rule_id: UUID
    name: str
    version_applied: int
    version_now: int | None


class PromotionExplanation(Resource):
    """Why a promotion stands where it stands, and what would move it.

    As of a past instant there is no status here: the promotion's history has it.
    """

    promotion_id: UUID
    evaluated_at: AwareDatetime
    status: PromotionStatus | None
    status_reason: StatusReason | None
    status_message: str | None
    summary: str
    decided: EvaluationGlance | None
    now: EvaluationGlance | None
    next_change_at: AwareDatetime | None
    approvals: Approvals | None
    execution: ExecutionGlance | None
    ways: list[Way]
    rules_changed: list[ChangedRule]


class _ADraftOrARule(Request):
    """Names a rule by what it says or by its id."""

    rule: RuleWrite | None = None
    rule_id: UUID | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.rule is None) == (self.rule_id is None):
            raise ValueError("give exactly one of rule and rule_id")
        return self


class RuleCheck(_ADraftOrARule):
    """Evaluate a rule against a deployment without doing anything."""

    deployment_id: Identifier
    at: AwareDatetime | None = None


class RuleCheckResult(Resource):
    """What came of it; ``matches`` tells whether the rule is about the deployment's hop at all."""

    deployment_id: str
    evaluated_at: AwareDatetime
    matches: bool
    standing: RuleStanding


class RuleBacktest(_ADraftOrARule):
    """Replay recorded facts: what would the rule have promoted since then (RFC 3339, or a duration such as 30d)."""

    since: Annotated[str, Field(min_length=1, max_length=40)]


class BacktestDeployment(Resource):
    """What the rule would have done with one deployment, and what was done in fact."""

    deployment_id: str
    agent_id: str
    version: str
    would_promote_at: AwareDatetime | None
    promoted_at: AwareDatetime | None
    promotion_id: UUID | None
    status: PromotionStatus | None
    status_reason: StatusReason | None
    # How much earlier than in fact; negative where it would have been later.
    earlier_seconds: float | None
    regretted: bool


class BacktestResult(Resource):
    """The replay; ``regretted`` are those that it would have promoted and that were rejected or failed later."""

    since: AwareDatetime
    until: AwareDatetime
    deployments: int
    would_promote: int
    regretted: int
    # Whether there was more recorded than is replayed in one go; narrow the time then.
    truncated: bool
    items: list[BacktestDeployment]
