"""Which requests can be promoted at all, and to which gateway: never a guess."""

from typing import Any

import pytest

from schemas.vocabulary import DeploymentStatus
from services.rules.domain.gateways import Resolved, Unresolved, resolve_gateway
from services.rules.domain.request import Eligible, Refused, Unseen, examine
from services.rules.domain.surroundings import Gateway
from tests.unit.rules_service.samples import NOW, a_deployment, a_request, a_rule, a_world


def test_a_deployment_that_is_not_known_is_neither_fit_nor_refused() -> None:
    assert examine(a_request(source_deployment_id="dep-2"), [], a_world()) == Unseen()


@pytest.mark.parametrize(
    ("request_", "deployment", "named"),
    [
        ({"agent_id": "agent-2"}, {}, "agent-1"),
        ({}, {"status": DeploymentStatus.RETIRED}, "retired"),
        ({}, {"status": DeploymentStatus.FAILED}, "failed"),
        ({"target_environment": "production"}, {}, "skip staging"),
        ({"target_environment": "development"}, {}, "does not come after"),
        ({"target_environment": "productіon"}, {}, "productіon"),
        ({}, {"environment": "qa"}, "qa"),
        ({"target_environment": "development"}, {"environment": "staging"}, "does not come after"),
        ({"asked_gateway_id": "gw-production"}, {}, "belongs to production"),
        ({"asked_gateway_id": "gw-nowhere"}, {}, "not registered"),
    ],
)
def test_what_can_never_be_promoted_is_refused_with_the_wrong_value(
    request_: dict[str, Any], deployment: dict[str, Any], named: str
) -> None:
    answer = examine(a_request(**request_), [], a_world(a_deployment(**deployment)))

    assert isinstance(answer, Refused)
    assert named in answer.message


def test_an_organizations_own_order_of_environments_counts() -> None:
    world = a_world(
        gateways=(Gateway("gw-canary", "canary", is_default=False),),
        environments={"acme": ("development", "canary", "staging")},
    )

    assert isinstance(examine(a_request(target_environment="canary"), [], world), Eligible)
    assert isinstance(examine(a_request(target_environment="staging"), [], world), Refused)


def test_of_deployments_with_the_same_id_the_active_one_is_meant() -> None:
    old = a_deployment(gateway_id="gw-2", status=DeploymentStatus.RETIRED, deployed_at=NOW)
    live = a_deployment()

    answer = examine(a_request(), [], a_world(old, live))

    assert isinstance(answer, Eligible)
    assert answer.deployment is live


TWO = (Gateway("gw-a", "staging", is_default=False), Gateway("gw-b", "staging", is_default=False))
DEFAULT = (Gateway("gw-a", "staging", is_default=False), Gateway("gw-b", "staging", is_default=True))


@pytest.mark.parametrize(
    ("gateways", "running_on", "named_by_rules", "expected"),
    [
        ((), [], [], "gw-staging"),
        (DEFAULT, [], [], "gw-b"),
        (DEFAULT, ["gw-a"], [], "gw-a"),
        (TWO, ["gw-a"], ["gw-b"], "gw-b"),
        (TWO, [], [], None),
        (DEFAULT, ["gw-a", "gw-b"], [], None),
        (TWO, [], ["gw-a", "gw-b"], None),
        (TWO, [], ["gw-production"], None),
        ((Gateway("gw-p", "production", is_default=True),), [], [], None),
        (DEFAULT, ["gw-gone"], [], "gw-b"),
    ],
)
def test_the_gateway_is_the_rules_else_the_agents_else_the_only_or_default_one(
    gateways: tuple[Gateway, ...], running_on: list[str], named_by_rules: list[str], expected: str | None
) -> None:
    running = [a_deployment(f"dep-{gateway}", environment="staging", gateway_id=gateway) for gateway in running_on]

    answer = resolve_gateway(
        organization_id="acme",
        agent_id="agent-1",
        environment="staging",
        asked=None,
        rules=[a_rule(target_gateway_id=name) for name in named_by_rules],
        surroundings=a_world(a_deployment(), *running, gateways=gateways),
    )

    assert isinstance(answer, Unresolved) if expected is None else answer == Resolved(expected)
