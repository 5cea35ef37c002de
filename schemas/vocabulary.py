"""The words of the glossary that have a closed set of values, spelt once for every service."""

from enum import StrEnum


class PromotionStatus(StrEnum):
    """Where a promotion stands; never moves backwards, and the last three never change again."""

    PENDING = "pending"
    APPROVED = "approved"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"


class StatusReason(StrEnum):
    """Why a promotion stands there: a stable code for programs."""

    EVALUATING = "evaluating"
    AWAITING_APPROVAL = "awaiting_approval"
    CONDITIONS_UNMET = "conditions_unmet"
    QUEUED = "queued"
    AWAITING_EXECUTE = "awaiting_execute"
    EXECUTING = "executing"
    RETRYING = "retrying"
    DEPLOYED = "deployed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    NOT_ELIGIBLE = "not_eligible"
    GATEWAY_REFUSED = "gateway_refused"
    GATEWAY_UNREACHABLE = "gateway_unreachable"
    TIMED_OUT = "timed_out"


class Origin(StrEnum):
    """Who asked for a promotion: a person or program over HTTP, a record on Kafka, or the trigger."""

    USER = "user"
    EVENT = "event"
    AUTO = "auto"


class Execution(StrEnum):
    """Whether an approved promotion executes by itself or waits for the execute command."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class ConditionsResult(StrEnum):
    """What the conditions of all rules together amount to; ``none`` where no rule has any."""

    NONE = "none"
    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


class RuleStatus(StrEnum):
    """Whether a rule acts, is only evaluated and recorded, or is switched off."""

    ACTIVE = "active"
    SHADOW = "shadow"
    DISABLED = "disabled"


class DeploymentOutcome(StrEnum):
    """What a ``deployment.completed`` event announces."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REMOVED = "removed"


class DeploymentStatus(StrEnum):
    """What inventory knows of a deployment; ``active`` is the live one of its slot."""

    ACTIVE = "active"
    RETIRED = "retired"
    REMOVED = "removed"
    FAILED = "failed"


class Decision(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


class Role(StrEnum):
    """What a credential may do in its organization."""

    VIEWER = "viewer"
    REQUESTER = "requester"
    APPROVER = "approver"
    EXECUTOR = "executor"
    RULE_ADMIN = "rule_admin"
    ADMIN = "admin"
    DELEGATE = "delegate"
    PUBLISHER = "publisher"
    # Looks after the system itself: sees what could be read of no organization.
    OPERATOR = "operator"


DEFAULT_ENVIRONMENTS = ("development", "staging", "production")
