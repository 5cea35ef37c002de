"""What those outside may publish, over HTTP and over Kafka alike: their own organization's, under their own name.

Pure. A refusal is an ``Unreadable`` with a stable code and the place of the wrong value.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from schemas import topics
from schemas.cloudevents import Unreadable
from schemas.events import (
    DeploymentCompleted,
    Event,
    EventData,
    MetricsObserved,
    PromotionRequested,
    TestsCompleted,
)
from schemas.identifiers import promotion_id_of_event
from schemas.principals import principal_key
from schemas.vocabulary import Origin, Role
from services.platform.identity import Principal

# Which role each topic that is taken from outside asks of its sender.
TAKEN: Mapping[str, Role] = MappingProxyType(
    {
        topics.PROMOTION_REQUESTED: Role.REQUESTER,
        topics.DEPLOYMENT_COMPLETED: Role.PUBLISHER,
        topics.TESTS_COMPLETED: Role.PUBLISHER,
        topics.METRICS_OBSERVED: Role.PUBLISHER,
    }
)
# What our own services emit under; consumers believe these sources.
RESERVED_SOURCES = frozenset({"promotion", "rules", "executor", "inventory", "notifications", "ingress", "platform"})


def from_outside(event: Event, sender: Principal) -> Event:
    """Give ``event`` without what only we may say in it; raises Unreadable where ``sender`` may not publish it."""
    _check_origin(event, sender)
    data = _as_outsider(event.data, sender)
    key = _key(event, data)
    extensions = event.extensions | {"publisher": sender.subject}
    return replace(event, data=data, key=key, subject=event.subject or key, extensions=extensions)


def _check_origin(event: Event, sender: Principal) -> None:
    if event.topic not in TAKEN:
        raise Unreadable("wrong_type", f"{event.type} is only emitted here, never taken", place="/type")
    if event.source.strip("/").partition("/")[0].lower() in RESERVED_SOURCES:
        raise Unreadable(
            "reserved_source", f"the source {event.source[:80]!r} is one of ours; use your own", place="/source"
        )
    if event.data.organization_id != sender.organization_id:
        raise Unreadable(
            "foreign_organization",
            f"the event is of organization {event.data.organization_id!r}, your key of {sender.organization_id!r}",
            place="/data/organization_id",
        )


def _as_outsider(data: EventData, sender: Principal) -> EventData:
    if isinstance(data, PromotionRequested):
        return _asked_by(data, sender)
    if not sender.may(Role.PUBLISHER):
        raise Unreadable("forbidden", f"this needs the role {Role.PUBLISHER}")
    if isinstance(data, DeploymentCompleted):
        # Only the executor says what became of a promotion.
        return data.model_copy(update={"promotion_id": None, "error_code": None})
    return data


def _asked_by(data: PromotionRequested, sender: Principal) -> PromotionRequested:
    if not sender.may(Role.REQUESTER, environment=data.target_environment):
        raise Unreadable(
            "forbidden",
            f"this needs the role {Role.REQUESTER} in {data.target_environment}",
            place="/data/target_environment",
        )
    is_own = principal_key(data.created_by) == principal_key(sender.subject)
    if not is_own and not sender.may(Role.DELEGATE, environment=data.target_environment):
        raise Unreadable(
            "foreign_creator",
            f"created_by is {data.created_by!r}, your key is {sender.subject!r}'s; only a delegate requests for others",
            place="/data/created_by",
        )
    ours = {"origin": Origin.EVENT, "created_at": None, "rule_id": None, "rule_version": None}
    return data.model_copy(update=ours)


def _key(event: Event, data: EventData) -> str:
    if isinstance(data, PromotionRequested):
        identifier = data.promotion_id or promotion_id_of_event(data.organization_id, event.source, event.id)
        return str(identifier)
    if isinstance(data, (DeploymentCompleted, TestsCompleted, MetricsObserved)):
        return data.deployment_id
    raise TypeError(f"{type(data).__name__} has no key")
