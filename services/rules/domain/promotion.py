"""A promotion as the promotion service publishes it. Values only."""

from datetime import datetime
from uuid import UUID

from schemas.values import dataclass
from schemas.vocabulary import Origin, PromotionStatus, StatusReason

_ENDED = frozenset({PromotionStatus.COMPLETED, PromotionStatus.FAILED, PromotionStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class Promotion:
    """Where a promotion stands."""

    organization_id: str
    promotion_id: UUID
    agent_id: str
    source_deployment_id: str
    source_environment: str | None
    target_gateway_id: str | None
    target_environment: str
    deployment_version: str | None
    digest: str | None
    origin: Origin
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    evaluation_number: int | None
    required_approvers: int | None
    approvals: int
    rejected_by_person: bool
    created_by: str
    created_at: datetime
    completed_at: datetime | None

    @property
    def is_ended(self) -> bool:
        """Tell whether it never changes again."""
        return self.status in _ENDED

    @property
    def is_settled(self) -> bool:
        """Tell whether no evaluation can move it any more: it ended, or began to execute."""
        return self.is_ended or self.status_reason is StatusReason.EXECUTING
