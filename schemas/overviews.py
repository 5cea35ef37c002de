"""Resources that sum many things up: the board, the statistics, the audit trail; bodies of the API as they are."""

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime

from schemas.operations import AuditCut
from schemas.resources import Deployment, HistoryEntry, Page, Resource
from schemas.vocabulary import PromotionStatus, StatusReason


class BoardPromotion(Resource):
    """A promotion as a cell of the board shows it."""

    id: UUID
    status: PromotionStatus
    status_reason: StatusReason
    status_message: str
    deployment_version: str | None
    required_approvers: int | None
    # Distinct people who voted to approve so far.
    approvals: int
    created_by: str
    created_at: AwareDatetime


class BoardSlot(Resource):
    """One agent on one gateway: what is live, what is under way, and what went wrong since."""

    gateway_id: str | None
    environment: str
    live: Deployment | None
    # Who asked for what is live, where it came by a promotion.
    requested_by: str | None
    under_way: BoardPromotion | None
    # The newest promotion that failed or was refused after what is live came to be.
    trouble: BoardPromotion | None


class BoardAgent(Resource):
    """One agent with every slot that it has or is about to have."""

    agent_id: str
    slots: list[BoardSlot]


class StatisticsDay(Resource):
    """What happened on one day, in UTC."""

    day: date
    requested: int
    completed: int
    failed: int
    rejected: int
    # Median seconds from request to deployed, of what completed that day.
    lead_seconds: float | None
    # Median seconds from request to approval, of what people approved that day.
    approval_seconds: float | None


class Statistics(Resource):
    """Promotions over a number of days, today the last of them."""

    target_environment: str | None
    days: list[StatisticsDay]
    lead_seconds: float | None
    approval_seconds: float | None
    # Failed among all that were executed; null where none was.
    change_fail_rate: float | None


class AuditEntry(HistoryEntry):
    """One entry of an organization's history; ``sequence`` rises by one and orders them."""

    sequence: int
    promotion_id: UUID
    agent_id: str
    target_environment: str
    # Hash of this entry, chained over the one before it.
    hash: str


class AuditPage(Page[AuditEntry]):
    """One page of an organization's history; up to its ``cut`` only what was kept of it is listed."""

    cut: AuditCut | None


class ServiceReport(Resource):
    """What one process of a service last said of itself; ``silent`` means that it has said nothing for too long."""

    service: str
    instance: str
    started_at: AwareDatetime
    reported_at: AwareDatetime
    ready: bool
    silent: bool
    trouble: list[str]
    # Records that wait in Kafka, by topic.
    lag: dict[str, int]
    # Records that wait to be published; counted up to 100,000.
    outbox_rows: int
    outbox_oldest_at: AwareDatetime | None
    last_error: str | None
    last_error_at: AwareDatetime | None
