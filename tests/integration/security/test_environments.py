"""A role of one environment opens nothing in another, at the real door; and only delegates speak for others."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.platform.grants import Grants
from services.platform.identity import create_key
from tests.integration.ingress.conftest import PEPPER, Answer, Door


async def key_with(door: Door, *grants: str) -> dict[str, str]:
    """The header of a new key that holds ``grants``."""
    async with door.platform.begin() as connection:
        key = await create_key(
            connection, organization_id="acme", subject="sue", grants=Grants.read(grants), pepper=PEPPER,
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
    return {"Authorization": f"Bearer {key}"}


def gateway(environment: str, name: str = "gw-1") -> dict[str, str]:
    return {"gateway_id": name, "environment": environment, "url": "http://gw:8443"}


def rule(target: str, source: str = "development") -> dict[str, Any]:
    return {"name": "r", "source_environment": source, "target_environment": target}


async def call(door: Door, headers: dict[str, str], method: str, path: str, body: Any = None) -> Answer:
    return await door.call(method, f"/api/v1{path}", body, role=None, headers=headers)


async def test_an_administrator_of_one_environment_keeps_its_gateways_and_no_others(door: Door) -> None:
    staging = await key_with(door, "admin:staging")
    await door.call("POST", "/api/v1/gateways", gateway("production", "gw-production"))

    made = await call(door, staging, "POST", "/gateways", gateway("staging"))
    moved = await call(door, staging, "PUT", "/gateways/gw-1", {"environment": "production", "url": "http://gw"})
    taken = await call(door, staging, "PUT", "/gateways/gw-production", {"environment": "staging", "url": "http://gw"})
    elsewhere = await call(door, staging, "POST", "/gateways", gateway("production", "gw-2"))
    deleted = await call(door, staging, "DELETE", "/gateways/gw-production")

    assert made.status == 201
    assert [moved.status, taken.status, elsewhere.status, deleted.status] == [403] * 4
    assert (await call(door, staging, "DELETE", "/gateways/gw-1")).status == 204


async def test_what_concerns_all_environments_needs_the_role_in_all(door: Door) -> None:
    body = {"names": ["development", "production"]}

    for headers in (await key_with(door, "admin:staging"), await key_with(door, "admin:production", "admin:staging")):
        assert (await call(door, headers, "PUT", "/environments", body)).status == 403
        assert (await call(door, headers, "PUT", "/fact-publishers", {"publishers": {}})).status == 403
    assert (await call(door, await key_with(door, "admin"), "PUT", "/environments", body)).status == 200


@pytest.mark.parametrize("grant", ["rule_admin:staging", "admin:staging"])
async def test_rules_are_written_by_those_of_their_target(door: Door, grant: str) -> None:
    headers = await key_with(door, grant)

    made = await call(door, headers, "POST", "/promotions/rules", rule("staging"))
    elsewhere = await call(door, headers, "POST", "/promotions/rules", rule("production", "staging"))
    place = f"/promotions/rules/{made.body['id']}"
    moved = await call(door, headers, "PUT", place, rule("production", "staging"))

    assert (made.status, elsewhere.status, moved.status) == (201, 403, 403)
    assert (await call(door, headers, "DELETE", place)).status == 204


async def test_a_role_of_one_environment_still_looks_everywhere(door: Door) -> None:
    headers = await key_with(door, "approver:staging")

    for path in ("/promotions", "/deployments", "/gateways", "/environments", "/promotions/rules"):
        assert (await call(door, headers, "GET", path)).status == 200


async def test_promotions_are_requested_where_the_role_is_held(door: Door) -> None:
    headers = await key_with(door, "requester:staging")
    asked = {"agent_id": "a", "source_deployment_id": "d", "target_environment": "production"}

    elsewhere = await call(door, headers, "POST", "/promotions", asked)
    here = await call(door, headers, "POST", "/promotions", asked | {"target_environment": "staging"})

    # The deployment is unknown, which is found out only where the role is held.
    assert (elsewhere.status, here.status) == (403, 422)


@pytest.mark.parametrize("grant", ["viewer", "admin", "approver", "publisher"])
async def test_only_a_delegate_names_others(door: Door, grant: str) -> None:
    headers = await key_with(door, grant) | {"On-Behalf-Of": "alice"}

    answer = await call(door, headers, "GET", "/promotions")

    assert answer.status == 403
    assert "delegate" in answer.body["detail"]
    assert "leave the header out" in answer.body["detail"]
