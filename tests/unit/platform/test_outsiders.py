"""What those outside may publish, whichever door they come through."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas import topics
from schemas.cloudevents import Unreadable
from schemas.events import DATA_OF_TOPIC, DeploymentCompleted, Event, PromotionRequested
from schemas.vocabulary import Origin, Role, StatusReason
from services.platform.grants import Grant, Grants
from services.platform.identity import Principal
from services.platform.outsiders import RESERVED_SOURCES, TAKEN, from_outside

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROMOTION = UUID(int=7)
DATA: dict[str, dict[str, Any]] = {
    topics.PROMOTION_REQUESTED: {
        "agent_id": "agent", "source_deployment_id": "dep-1", "target_environment": "production",
        "created_by": "ci", "origin": "auto", "created_at": NOW, "rule_id": PROMOTION, "rule_version": 3,
    },
    topics.DEPLOYMENT_COMPLETED: {
        "deployment_id": "dep-1", "agent_id": "agent", "environment": "staging", "gateway_id": "gw", "version": "1",
        "status": "failed", "deployed_at": NOW, "promotion_id": PROMOTION, "error_code": "timed_out",
    },
    topics.TESTS_COMPLETED: {"deployment_id": "dep-1", "suite": "s", "run_id": "r", "outcome": "success"},
    topics.METRICS_OBSERVED: {"deployment_id": "dep-1", "metrics": {"error_rate": 1}},
}  # fmt: skip


def event(topic: str, *, source: str = "/ci", **changes: Any) -> Event:
    data = DATA_OF_TOPIC[topic].model_validate({"organization_id": "acme"} | DATA[topic] | changes)
    return Event(topic=topic, key="", id="1", source=source, subject="", time=NOW, data=data)


def sender(*grants: Role | Grant, subject: str = "ci") -> Principal:
    return Principal("acme", subject, Grants.of(*grants), "k1")


EVERYTHING = sender(Role.PUBLISHER, Role.REQUESTER)


def test_exactly_what_happens_outside_is_taken_from_outside() -> None:
    assert set(TAKEN) == set(DATA)


@pytest.mark.parametrize("topic", [topics.RULES_EVALUATED, topics.PROMOTION_APPROVED, topics.PROMOTION_CHANGED])
def test_what_only_we_say_is_taken_from_nobody(topic: str) -> None:
    said = Event(
        topic=topic, key="", id="1", source="/ci", subject="", time=NOW, data=event(topics.TESTS_COMPLETED).data
    )

    with pytest.raises(Unreadable) as caught:
        from_outside(said, sender(*Role))

    assert caught.value.code == "wrong_type"


@pytest.mark.parametrize("topic", DATA)
@pytest.mark.parametrize("role", Role)
def test_each_topic_asks_for_its_role(topic: str, role: Role) -> None:
    said, by = event(topic), sender(role)

    if by.may(TAKEN[topic]):
        from_outside(said, by)
    else:
        with pytest.raises(Unreadable) as caught:
            from_outside(said, by)
        assert caught.value.code == "forbidden"


@pytest.mark.parametrize("topic", DATA)
@pytest.mark.parametrize("name", RESERVED_SOURCES)
def test_nobody_outside_speaks_as_a_service(topic: str, name: str) -> None:
    for source in (f"/{name}/acme", name, f"//{name.upper()}/x"):
        with pytest.raises(Unreadable) as caught:
            from_outside(event(topic, source=source), EVERYTHING)
        assert caught.value.code == "reserved_source"


@pytest.mark.parametrize("topic", DATA)
def test_nobody_speaks_for_another_organization(topic: str) -> None:
    with pytest.raises(Unreadable) as caught:
        from_outside(event(topic, organization_id="globex"), EVERYTHING)

    assert caught.value.code == "foreign_organization"


def test_only_the_executor_says_what_became_of_a_promotion() -> None:
    said = from_outside(event(topics.DEPLOYMENT_COMPLETED), EVERYTHING).data

    assert isinstance(said, DeploymentCompleted)
    assert (said.promotion_id, said.error_code) == (None, None)
    assert StatusReason.TIMED_OUT == "timed_out"


def test_nobody_outside_chooses_when_and_by_which_rule_a_request_was_made() -> None:
    asked = from_outside(event(topics.PROMOTION_REQUESTED), EVERYTHING).data

    assert isinstance(asked, PromotionRequested)
    assert (asked.origin, asked.created_at, asked.rule_id, asked.rule_version) == (Origin.EVENT, None, None, None)


def test_a_request_is_by_its_sender_however_it_is_spelt() -> None:
    from_outside(event(topics.PROMOTION_REQUESTED, created_by="CI"), EVERYTHING)

    with pytest.raises(Unreadable) as caught:
        from_outside(event(topics.PROMOTION_REQUESTED, created_by="alice"), EVERYTHING)
    assert caught.value.code == "foreign_creator"


def test_a_delegate_requests_for_others() -> None:
    from_outside(event(topics.PROMOTION_REQUESTED, created_by="alice"), sender(Role.DELEGATE))


@pytest.mark.parametrize("role", [Role.REQUESTER, Role.DELEGATE])
def test_a_role_of_one_environment_requests_for_no_other(role: Role) -> None:
    by = sender(Grant(role, "staging"))

    from_outside(event(topics.PROMOTION_REQUESTED, target_environment="staging"), by)
    with pytest.raises(Unreadable) as caught:
        from_outside(event(topics.PROMOTION_REQUESTED), by)
    assert caught.value.code == "forbidden"


def test_an_event_carries_who_sent_it_whatever_it_says_itself() -> None:
    said = event(topics.METRICS_OBSERVED)
    claimed = replace(said, extensions={"publisher": "ops", "traceparent": "00-1"})

    assert from_outside(claimed, EVERYTHING).extensions == {"publisher": "ci", "traceparent": "00-1"}


def test_events_get_the_key_of_what_they_are_about() -> None:
    requested = from_outside(event(topics.PROMOTION_REQUESTED, promotion_id=PROMOTION), EVERYTHING)
    observed = from_outside(event(topics.METRICS_OBSERVED), EVERYTHING)

    assert (requested.key, requested.subject) == (str(PROMOTION), str(PROMOTION))
    assert (observed.key, observed.subject) == ("dep-1", "dep-1")
