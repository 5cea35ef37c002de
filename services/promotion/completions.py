"""What became of executions: takes in ``deployment.completed``, and lets the next promotion of the slot begin.

Only the organization's executor is believed; whatever matches no executing promotion is somebody else's or a repeat.
"""

from collections.abc import Sequence

import structlog

from schemas.events import DeploymentCompleted, Event, event_source
from schemas.values import dataclass
from schemas.vocabulary import DeploymentOutcome
from services.promotion import store
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.progress import deployed, failed
from services.promotion.domain.promotion import Cause, Key, Promotion, Slot
from services.promotion.work import Work

ACTOR = "service:executor"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """What the executor says of one execution."""

    event_id: str
    data: DeploymentCompleted
    traceparent: str | None = None

    @property
    def slot(self) -> Slot:
        """Name the slot of the execution."""
        return Slot(self.data.organization_id, self.data.agent_id, self.data.gateway_id)


async def apply_completions(work: Work, events: Sequence[Event]) -> None:
    """Apply a batch of ``deployment.completed`` within the transaction of ``work``."""
    reported = _reported(events)
    if not reported:
        return
    await store.lock_slots(work.connection, {report.slot for reports in reported.values() for report in reports})
    known = await store.load(work.connection, sorted(reported), lock=True)
    moved: list[Transition] = []
    for key, reports in sorted(reported.items()):
        step = next((step for report in reports if (step := _step(known.get(key), report, work))), None)
        if step is not None:
            moved.append(step)
    await work.save(moved)
    await work.dispatch({step.after.slot for step in moved if step.after.slot})
    await work.record()
    _log.info("completions applied", moved=len(moved), ignored=len(reported) - len(moved))


def _reported(events: Sequence[Event]) -> dict[Key, list[Report]]:
    reported: dict[Key, list[Report]] = {}
    for event in events:
        data = event.data
        if not isinstance(data, DeploymentCompleted) or data.promotion_id is None:
            continue
        if event.source != event_source("executor", data.organization_id):
            _log.warning("completion of another source ignored", source=event.source, promotion=str(data.promotion_id))
            continue
        reported.setdefault(Key(data.organization_id, data.promotion_id), []).append(
            Report(event.id, data, event.extensions.get("traceparent"))
        )
    return reported


def _step(promotion: Promotion | None, report: Report, work: Work) -> Transition | None:
    data = report.data
    if promotion is None or (data.agent_id, data.gateway_id) != (
        promotion.request.agent_id,
        promotion.target_gateway_id,
    ):
        return None
    evidence = {
        "deployment_id": data.deployment_id,
        "gateway_id": data.gateway_id,
        "version": data.version,
        "digest": data.digest,
        "error_code": data.error_code and data.error_code.value,
    }
    cause = Cause(ACTOR, work.now, evidence, event_id=report.event_id, traceparent=report.traceparent)
    match data.status:
        case DeploymentOutcome.SUCCEEDED:
            return deployed(promotion, data.deployment_id, cause)
        case DeploymentOutcome.FAILED:
            return failed(promotion, data.error_code, data.error, cause)
        case DeploymentOutcome.REMOVED:
            return None
