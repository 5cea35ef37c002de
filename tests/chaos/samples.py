"""What a small good run would leave behind, for the checkers to find nothing in until something is changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas import topics
from schemas.cloudevents import encode
from schemas.events import Event, EventData, PromotionApproved, PromotionChanged, event_source
from schemas.vocabulary import PromotionStatus, StatusReason
from studio.gateway.records import AnyRecord, EffectApplied, RequestReceived
from studio.gateway.state import Content, Created
from tests.chaos.evidence import Evidence
from tests.chaos.people import Told
from tests.chaos.schedule import Decision, Door, Plan
from tests.chaos.witness import Seen

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROMOTION = UUID(int=7)
_STEPS = (
    ("pending", "evaluating", "requester"),
    ("approved", "queued", "approver2"),
    ("approved", "executing", "service:promotion"),
    ("completed", "deployed", "service:executor"),
)
PLAN = Plan(
    number=3,
    agent_id="agent-3",
    source_gateway_id="gw-staging",
    target_environment="production",
    door=Door.HTTP,
    sent=1,
    decisions=(Decision(1, "approver", "approve"), Decision(2, "approver2", "approve")),
)


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def good(**changes: Any) -> Evidence:
    """Give what one promotion to production leaves that two people approved."""
    evidence = Evidence(
        plans=(PLAN,),
        asked={PLAN.number: PROMOTION},
        given_up=(),
        told=(told("create", 201, "pending", "evaluating"), told("approve", 200, "approved", "queued")),
        struck=(),
        promotions={PROMOTION: row()},
        history={PROMOTION: history()},
        votes=[vote("approver", 0.2), vote("approver2", 0.9)],
        executions={PROMOTION: {"status": "succeeded", "epoch": 1}},
        orphans=(),
        deployments=[
            {
                "gateway_id": "gw-production",
                "deployment_id": str(PROMOTION),
                "agent_id": PLAN.agent_id,
                "status": "active",
            }
        ],
        letters=(),
        seen=seen(),
        gateways={"gw-production": log()},
    )
    return replace(evidence, **changes)


def told(command: str, status: int | None, promotion_status: str = "", reason: str = "") -> Told:
    body = {"id": str(PROMOTION), "status": promotion_status, "status_reason": reason}
    return Told(PLAN.number, "requester", command, status, body, NOW.timestamp())


def row(**changes: Any) -> dict[str, Any]:
    return {
        "id": PROMOTION,
        "agent_id": PLAN.agent_id,
        "source_deployment_id": PLAN.deployment_id,
        "target_environment": "production",
        "target_gateway_id": "gw-production",
        "deployment_version": "1.3.0",
        "digest": None,
        "created_by": "requester",
        "created_at": at(0),
        "changed_at": at(3),
        "completed_at": at(3),
        "status": "completed",
        "status_reason": "deployed",
        "version": 4,
        "approvals": 2,
        "required_approvers": 2,
        "target_deployment_id": str(PROMOTION),
        **changes,
    }


def history() -> list[dict[str, Any]]:
    before = None
    steps: list[dict[str, Any]] = []
    for number, (status, reason, actor) in enumerate(_STEPS):
        steps.append(
            {
                "version": number + 1,
                "previous_status": before,
                "status": status,
                "status_reason": reason,
                "actor": actor,
                "at": at(number),
                "chain_seq": number + 1,
            }
        )
        before = status
    return steps


def vote(voter: str, second: float) -> dict[str, Any]:
    return {"promotion_id": PROMOTION, "voter": voter, "decision": "approve", "voted_at": at(second)}


def put(second: float, *, body: str = "a" * 64, number: int = 1) -> RequestReceived:
    return RequestReceived(
        request=number,
        method="PUT",
        path=f"/deployments/{PROMOTION}",
        key=str(PROMOTION),
        body_sha256=body,
        fencing_token=1,
        traceparent=None,
        at=at(second),
    )


def created(*, version: str = "1.3.0") -> EffectApplied:
    content = Content(
        organization_id="acme",
        agent_id=PLAN.agent_id,
        version=version,
        digest=None,
        environment="production",
        gateway_id="gw-production",
        source_deployment_id=PLAN.deployment_id,
    )
    return EffectApplied(request=1, effect=Created(key=str(PROMOTION), content=content, retires=None, at=at(2.5)))


def log() -> list[AnyRecord]:
    return [put(2.5), created()]


def seen() -> list[Seen]:
    changes = [
        _seen(topics.PROMOTION_CHANGED, number + 1, _changed(number, status, reason))
        for number, (status, reason, _) in enumerate(_STEPS)
    ]
    order = PromotionApproved(
        organization_id="acme",
        promotion_id=PROMOTION,
        agent_id=PLAN.agent_id,
        target_gateway_id="gw-production",
        target_environment="production",
        source_deployment_id=PLAN.deployment_id,
        deployment_version="1.3.0",
        digest=None,
        executing_at=at(2),
        version=3,
    )
    return [*changes, _seen(topics.PROMOTION_APPROVED, 3, order)]


def _changed(number: int, status: str, reason: str) -> PromotionChanged:
    return PromotionChanged(
        organization_id="acme",
        promotion_id=PROMOTION,
        version=number + 1,
        agent_id=PLAN.agent_id,
        source_deployment_id=PLAN.deployment_id,
        target_gateway_id="gw-production",
        source_environment="staging",
        target_environment="production",
        previous_status=None,
        status=PromotionStatus(status),
        status_reason=StatusReason(reason),
        status_message="",
        actor="somebody",
        at=at(number),
    )


def _seen(topic: str, version: int, data: EventData) -> Seen:
    event = Event(
        topic=topic,
        key=str(PROMOTION),
        id=f"{topic}-{version}",
        source=event_source("promotion", "acme"),
        subject=str(PROMOTION),
        time=at(version),
        data=data,
    )
    return Seen(encode(event), 0, version, 0, at(version).timestamp())
