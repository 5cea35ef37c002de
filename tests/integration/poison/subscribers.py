"""Every subscription of every service: a good event for it, and how PostgreSQL shows that it was done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from schemas import topics
from schemas.events import (
    DeploymentCompleted,
    Event,
    EventData,
    MetricsObserved,
    PromotionApproved,
    PromotionChanged,
    PromotionRequested,
    TestsCompleted,
    event_source,
)
from schemas.vocabulary import DeploymentOutcome, PromotionStatus, StatusReason
from tests.integration.promotion.house import ORGANIZATION, START, House, completion, evaluation

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """``good`` makes an event about an id; ``done`` is a query for (:organization, :id); ``prepare`` comes before."""

    service: str
    topic: str
    good: Callable[[UUID], Event]
    done: str
    prepare: Callable[[House, UUID], Awaitable[None]] | None = None

    @property
    def name(self) -> str:
        return f"{self.service}.{self.topic}"


def _event(topic: str, data: EventData, *, source: str = "/ci/acme") -> Event:
    return Event(topic, "same-partition", str(uuid4()), source, "subject", NOW, data)


def _announced(identifier: UUID) -> Event:
    data = DeploymentCompleted(
        organization_id=ORGANIZATION, deployment_id=str(identifier), agent_id=f"agent-{identifier}",
        environment="development", gateway_id="gw-1", version="1.0.0", status=DeploymentOutcome.SUCCEEDED,
        deployed_at=NOW,
    )  # fmt: skip
    return _event(topics.DEPLOYMENT_COMPLETED, data)


def _requested(identifier: UUID) -> Event:
    data = PromotionRequested(
        organization_id=ORGANIZATION, promotion_id=identifier, agent_id="agent-1", source_deployment_id="dep-1",
        target_environment="staging", created_by="rita",
    )  # fmt: skip
    return _event(topics.PROMOTION_REQUESTED, data)


def _tested(identifier: UUID) -> Event:
    data = TestsCompleted(
        organization_id=ORGANIZATION, deployment_id=str(identifier), suite="smoke", run_id="run-1", passed=3, failed=0
    )
    return _event(topics.TESTS_COMPLETED, data)


def _measured(identifier: UUID) -> Event:
    data = MetricsObserved(
        organization_id=ORGANIZATION, deployment_id=str(identifier), metrics={"error_rate": Decimal("0.1")}
    )
    return _event(topics.METRICS_OBSERVED, data)


def _ordered(identifier: UUID) -> Event:
    data = PromotionApproved(
        organization_id=ORGANIZATION, promotion_id=identifier, agent_id=f"agent-{identifier}",
        target_gateway_id="gw-staging", target_environment="staging", source_deployment_id=f"dep-{identifier}",
        deployment_version="1.4.0", digest="sha256:aa", executing_at=START, version=3,
    )  # fmt: skip
    return _event(topics.PROMOTION_APPROVED, data, source=event_source("promotion", ORGANIZATION))


def _changed(identifier: UUID) -> Event:
    data = PromotionChanged(
        organization_id=ORGANIZATION, promotion_id=identifier, version=2, agent_id="agent-1",
        source_deployment_id="dep-1", target_gateway_id="gw-1", source_environment="development",
        target_environment="staging", previous_status=PromotionStatus.PENDING, status=PromotionStatus.PENDING,
        status_reason=StatusReason.AWAITING_APPROVAL, status_message="It has 0 of 1 approvals.", actor="service:rules",
        at=NOW,
    )  # fmt: skip
    return _event(topics.PROMOTION_CHANGED, data, source=event_source("promotion", ORGANIZATION))


def _placed(event: Event) -> Event:
    # All of a test's records lie in one partition, one behind the other.
    return Event(
        event.topic, "same-partition", event.id, event.source, event.subject, event.time, event.data, event.extensions
    )


async def _executing(house: House, identifier: UUID) -> None:
    await house.evaluate(evaluation(identifier))


async def _listening(house: House, _identifier: UUID) -> None:
    async with house.owner.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO notifications.webhook (organization_id, id, name, url, filter, secret, status, "
                "active_since, created_at, created_by, updated_at, updated_by) SELECT :org, gen_random_uuid(), 'a', "
                "'https://hooks.example', '{}', 'sealed', 'active', :then, :then, 'alma', :then, 'alma' "
                "WHERE NOT EXISTS (SELECT FROM notifications.webhook)"
            ),
            {"org": ORGANIZATION, "then": datetime(2026, 1, 1, tzinfo=UTC)},
        )


def _exists(table: str, column: str, kind: str = "text") -> str:
    return (
        f"SELECT EXISTS (SELECT FROM {table} WHERE organization_id = :organization AND {column} = cast(:id AS {kind}))"
    )


SUBSCRIBERS: tuple[Subscriber, ...] = (
    Subscriber(
        "promotion",
        topics.RULES_EVALUATED,
        lambda identifier: _placed(evaluation(identifier)),
        _exists("promotion.promotion", "id", "uuid"),
    ),
    Subscriber(
        "promotion",
        topics.DEPLOYMENT_COMPLETED,
        lambda identifier: _placed(completion(identifier)),
        _exists("promotion.promotion", "status = 'completed' AND id", "uuid"),
        prepare=_executing,
    ),
    Subscriber("rules", topics.PROMOTION_REQUESTED, _requested, _exists("rules.request", "promotion_id", "uuid")),
    Subscriber("rules", topics.DEPLOYMENT_COMPLETED, _announced, _exists("rules.recheck", "deployment_id")),
    Subscriber("rules", topics.TESTS_COMPLETED, _tested, _exists("rules.test_run", "deployment_id")),
    Subscriber("rules", topics.METRICS_OBSERVED, _measured, _exists("rules.fact", "deployment_id")),
    Subscriber(
        "executor",
        topics.PROMOTION_APPROVED,
        _ordered,
        _exists("executor.execution", "promotion_id", "uuid"),
        prepare=_executing,
    ),
    Subscriber("inventory", topics.DEPLOYMENT_COMPLETED, _announced, _exists("inventory.deployment", "deployment_id")),
    Subscriber(
        "notifications",
        topics.PROMOTION_CHANGED,
        _changed,
        _exists("notifications.delivery", "promotion_id", "uuid"),
        prepare=_listening,
    ),
)


def parameters(identifier: UUID) -> dict[str, Any]:
    return {"organization": ORGANIZATION, "id": str(identifier)}
