"""What the executor does with orders and outcomes: load, decide, save, return. Each runs in a caller's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import Event, PromotionApproved
from services.executor import tracing as spans
from services.executor.domain.announcement import announcement
from services.executor.domain.course import FENCING_SECONDS
from services.executor.domain.execution import Order
from services.executor.domain.settlements import Result
from services.executor.store import arrivals, leases, orphans
from services.executor.store.arrivals import Arrival
from services.platform import tracing
from services.platform.messaging.consumer import Unprocessable
from services.platform.messaging.outbox import Outbox


async def accept_orders(
    connection: AsyncConnection, events: Sequence[Event], *, outbox: Outbox, now: datetime, deadline: timedelta
) -> None:
    """Keep each new order; report again what came of those that are finished.

    Raises Unprocessable where the promotion itself does not say that it is executing this.
    """
    arrived = {(item.order.organization_id, item.order.promotion_id): item for item in map(_arrival, events)}
    ordered = came = [arrived[key] for key in sorted(arrived)]
    if tracing.is_on():
        ordered = spans.placed(came)
    give_up_at = now + deadline + timedelta(seconds=FENCING_SECONDS)
    kept = await arrivals.insert(connection, ordered, now=now, deadline_at=now + deadline, give_up_at=give_up_at)
    if tracing.is_on():
        spans.taken(came, kept, now=now)
    others = sorted(arrived.keys() - kept)
    if not others:
        return
    known = await arrivals.find_known(connection, others)
    for organization_id, promotion_id in others:
        if (organization_id, promotion_id) not in known.keys:
            raise Unprocessable("not_executing", f"the promotion {promotion_id} is not executing what this orders")
    await outbox.append(connection, [announcement(finished) for finished in known.finished])


async def settle(
    connection: AsyncConnection, results: Sequence[Result], *, outbox: Outbox, announce_after: timedelta, now: datetime
) -> list[Result]:
    """Write what became of leases, with their reports and orphans; give those that were still held."""
    if not results:
        return []
    ordered = sorted(results, key=lambda result: result.execution.lease_id)
    settlements = [result.settlement() for result in ordered]
    written = await leases.settle(connection, settlements, announce_at=now + announce_after)
    settled = [
        result.ended(written[result.execution.lease_id]) for result in ordered if result.execution.lease_id in written
    ]
    finished = [result.finished() for result in settled]
    await outbox.append(connection, [announcement(item) for item in finished if item is not None])
    await orphans.record(connection, [result.execution for result in settled if result.orphaned], now=now)
    if tracing.is_on():
        spans.ended(settled)
    return settled


def _arrival(event: Event) -> Arrival:
    data = event.data
    assert isinstance(data, PromotionApproved)
    order = Order(
        organization_id=data.organization_id,
        promotion_id=data.promotion_id,
        agent_id=data.agent_id,
        gateway_id=data.target_gateway_id,
        environment=data.target_environment,
        source_deployment_id=data.source_deployment_id,
        version=data.deployment_version,
        digest=data.digest,
        caused_by=event.id,
        traceparent=event.extensions.get("traceparent"),
    )
    return Arrival(order, data.executing_at)
