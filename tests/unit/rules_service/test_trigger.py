"""Whether a rule may start a promotion by itself."""

from typing import Any

import pytest

from schemas.vocabulary import DeploymentStatus, Origin, PromotionStatus, StatusReason
from services.rules.domain.auto_promotion import asked_by, request_event
from services.rules.domain.facts import Fact, Facts
from services.rules.domain.standing import stand
from services.rules.domain.trigger import Block, Blocked, Free, way_ahead
from tests.unit.rules_service.samples import NOW, a_deployment, a_promotion, a_rule, a_world

COMPLETED = {"status": PromotionStatus.COMPLETED, "status_reason": StatusReason.DEPLOYED}
REJECTED = {"status": PromotionStatus.REJECTED, "status_reason": StatusReason.REJECTED}


def the_way(*promotions: Any, deployment: Any = None, already: bool = False, others: tuple[Any, ...] = ()) -> Any:
    own = deployment or a_deployment()
    return way_ahead(
        a_rule(),
        own,
        promotions=promotions,
        already_requested=already,
        surroundings=a_world(own, *others),
    )


def test_nothing_in_the_way_leaves_it_free_to_the_gateway_of_the_next_environment() -> None:
    assert the_way() == Free("staging", "gw-staging")


@pytest.mark.parametrize(
    ("promotion", "block"),
    [
        ({}, Block.UNDER_WAY),
        ({"status": PromotionStatus.APPROVED, "status_reason": StatusReason.QUEUED}, Block.UNDER_WAY),
        (COMPLETED, Block.COMPLETED),
        ({**REJECTED, "rejected_by_person": True}, Block.A_PERSON_SAID_NO),
        ({**REJECTED, "rejected_by_person": True, "source_deployment_id": "dep-0"}, Block.A_PERSON_SAID_NO),
    ],
)
def test_what_people_or_promotions_did_blocks(promotion: dict[str, Any], block: Block) -> None:
    way = the_way(a_promotion(**promotion))

    assert isinstance(way, Blocked)
    assert way.block is block


@pytest.mark.parametrize(
    "promotion",
    [
        {**REJECTED, "status_reason": StatusReason.EXPIRED},
        {"status": PromotionStatus.FAILED, "status_reason": StatusReason.TIMED_OUT},
        {"source_deployment_id": "dep-0", **COMPLETED, "digest": "sha256:other", "deployment_version": "0.9"},
        {
            **REJECTED,
            "rejected_by_person": True,
            "source_deployment_id": "dep-0",
            "digest": "sha256:other",
            "deployment_version": "0.9",
        },
    ],
)
def test_what_the_clock_or_other_content_ended_does_not_block(promotion: dict[str, Any]) -> None:
    assert isinstance(the_way(a_promotion(**promotion)), Free)


def test_what_was_asked_for_once_is_never_asked_for_again() -> None:
    way = the_way(already=True)

    assert isinstance(way, Blocked)
    assert way.block is Block.ALREADY_REQUESTED


@pytest.mark.parametrize("status", [DeploymentStatus.RETIRED, DeploymentStatus.REMOVED, DeploymentStatus.FAILED])
def test_a_deployment_that_is_not_active_goes_nowhere(status: DeploymentStatus) -> None:
    way = the_way(deployment=a_deployment(status=status))

    assert isinstance(way, Blocked)
    assert way.block is Block.NOT_ACTIVE


@pytest.mark.parametrize(
    ("there", "blocked"),
    [
        ({"version": "1.0.0", "digest": None}, True),
        ({"version": "2", "digest": "sha256:one"}, True),
        ({"version": "2", "digest": None}, False),
        ({"version": "2", "digest": "sha256:two"}, False),
        ({"version": "1.0.0", "gateway_id": "gw-elsewhere"}, False),
    ],
)
def test_a_target_that_runs_the_same_digest_or_version_is_left_alone(there: dict[str, Any], blocked: bool) -> None:
    running = a_deployment("dep-there", **{"environment": "staging", "gateway_id": "gw-staging", **there})

    way = the_way(others=(running,))

    assert isinstance(way, Blocked if blocked else Free)


def test_a_request_of_a_rule_is_the_same_for_ever() -> None:
    rule, deployment = a_rule(), a_deployment()
    asked = asked_by(rule, deployment, Free("staging", "gw-staging"), now=NOW, by_rule_change=False)
    again = asked_by(a_rule(), deployment, Free("staging", "gw-2"), now=NOW, by_rule_change=True)

    event = request_event(asked)

    assert asked.promotion_id == again.promotion_id
    assert event == request_event(asked)
    assert (event.key, event.subject) == (str(asked.promotion_id), str(asked.promotion_id))


@pytest.mark.parametrize(
    ("error_rate", "promotions", "would"),
    [
        (0, [], True),
        (1, [], False),
        (None, [], False),
        (0, [a_promotion(origin=Origin.AUTO)], True),
        (0, [a_promotion(origin=Origin.USER)], False),
        (0, [a_promotion(origin=Origin.AUTO, **COMPLETED)], False),
    ],
)
def test_a_rule_would_promote_where_its_conditions_hold_and_nothing_but_its_own_request_is_there(
    error_rate: int | None,
    promotions: list[Any],
    would: bool,
) -> None:
    facts = Facts({} if error_rate is None else {"metrics.error_rate": Fact(error_rate, NOW)})

    standing = stand(
        a_rule(),
        a_deployment(),
        facts,
        promotions=promotions,
        already_requested=bool(promotions),
        surroundings=a_world(),
        now=NOW,
    )

    assert standing.would_promote is would


def test_a_rule_that_does_not_promote_by_itself_would_not() -> None:
    facts = Facts({"metrics.error_rate": Fact(0, NOW)})

    standing = stand(
        a_rule(auto_promote=False),
        a_deployment(),
        facts,
        promotions=[],
        already_requested=False,
        surroundings=a_world(),
        now=NOW,
    )

    assert (standing.way, standing.would_promote) == (None, False)
