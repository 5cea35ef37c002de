"""The event that reports an outcome; made from stored values alone, so that every repeat is the same bytes."""

from datetime import datetime

from schemas.events import DeploymentCompleted, Event, event_source, event_type
from schemas.identifiers import event_id
from schemas.topics import DEPLOYMENT_COMPLETED
from schemas.values import dataclass
from schemas.vocabulary import DeploymentOutcome, StatusReason
from services.executor.domain.execution import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An order that came to its end; ``verdict`` and ``error`` say why where it failed."""

    order: Order
    finished_at: datetime
    verdict: StatusReason | None
    error: str | None


def announcement(finished: Finished) -> Event:
    """Give the ``deployment.completed`` of ``finished``."""
    order = finished.order
    failed = finished.verdict is not None
    return Event(
        topic=DEPLOYMENT_COMPLETED,
        key=order.key,
        id=event_id(f"execution\n{order.organization_id}\n{order.key}", 1, event_type(DEPLOYMENT_COMPLETED)),
        source=event_source("executor", order.organization_id),
        subject=order.key,
        time=finished.finished_at,
        data=DeploymentCompleted(
            organization_id=order.organization_id,
            deployment_id=order.key,
            agent_id=order.agent_id,
            environment=order.environment,
            gateway_id=order.gateway_id,
            version=order.version,
            digest=order.digest,
            status=DeploymentOutcome.FAILED if failed else DeploymentOutcome.SUCCEEDED,
            deployed_at=finished.finished_at,
            promotion_id=order.promotion_id,
            error=(finished.error or "the gateway gave no reason") if failed else None,
            error_code=finished.verdict,
        ),
        extensions=_extensions(order),
    )


def _extensions(order: Order) -> dict[str, str]:
    extensions = {"correlationid": order.key, "causationid": order.caused_by}
    if order.traceparent is not None:
        extensions["traceparent"] = order.traceparent
    return extensions
