"""Gateways, environments and deployments over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.events import DeploymentCompleted, Event
from services.inventory.consumer import apply
from services.platform.database import Database
from tests.integration.ingress.conftest import Door

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GATEWAY = {"gateway_id": "gw-1", "environment": "staging", "url": "http://gw:8443/", "credential": "s3cret"}


async def announce(door: Door, *announced: dict[str, Any], source: str = "/ci") -> None:
    events = []
    for number, fields in enumerate(announced):
        data = DeploymentCompleted.model_validate(
            {
                "organization_id": "acme",
                "agent_id": "agent",
                "environment": "staging",
                "gateway_id": "gw-1",
                "version": "1",
                "status": "succeeded",
                "deployed_at": NOON + timedelta(minutes=number),
                **fields,
            }
        )
        events.append(
            Event(
                topic="deployment.completed",
                key=data.deployment_id,
                id=f"e{number}",
                source=source,
                subject=data.deployment_id,
                time=data.deployed_at,
                data=data,
            )
        )
    database = Database(door.database_url, role="promotion_inventory", application_name="test", every_organization=True)
    async with database.begin() as connection:
        await apply(connection, events, NOON + timedelta(days=1))
    await database.close()


async def test_a_gateway_is_registered_read_replaced_and_deleted(door: Door) -> None:
    made = await door.call("POST", "/api/v1/gateways", GATEWAY)
    read = await door.call("GET", "/api/v1/gateways/gw-1", role="viewer")
    replaced = await door.call(
        "PUT", "/api/v1/gateways/gw-1", {"environment": "production", "url": "http://gw:8443/v2"}
    )
    gone = await door.call("DELETE", "/api/v1/gateways/gw-1")
    after = await door.call("GET", "/api/v1/gateways/gw-1")

    assert (made.status, made.headers["Location"]) == (201, "/api/v1/gateways/gw-1")
    assert read.body == made.body
    assert "s3cret" not in str(made.body)
    assert read.body["url"] == "http://gw:8443"
    assert (replaced.status, replaced.body["environment"], replaced.body["has_credential"]) == (200, "production", True)
    assert (gone.status, after.status) == (204, 404)


async def test_the_credential_is_removed_by_null_alone(door: Door) -> None:
    await door.call("POST", "/api/v1/gateways", GATEWAY)
    plain = {"environment": "staging", "url": "http://gw"}

    removed = await door.call("PUT", "/api/v1/gateways/gw-1", {**plain, "credential": None})

    assert removed.body["has_credential"] is False


async def test_a_second_gateway_of_the_same_id_is_a_conflict(door: Door) -> None:
    await door.call("POST", "/api/v1/gateways", GATEWAY)

    again = await door.call("POST", "/api/v1/gateways", GATEWAY)
    elsewhere = await door.call("POST", "/api/v1/gateways", GATEWAY, organization="globex")

    assert (again.status, again.body["type"]) == (409, "urn:promotion:problem:gateway_exists")
    assert elsewhere.status == 201


async def test_an_environment_has_one_default_gateway_the_newest(door: Door) -> None:
    await door.call("POST", "/api/v1/gateways", {**GATEWAY, "is_default": True})
    await door.call("POST", "/api/v1/gateways", {**GATEWAY, "gateway_id": "gw-2", "is_default": True})

    listed = await door.call("GET", "/api/v1/gateways")

    assert [(item["gateway_id"], item["is_default"]) for item in listed.items] == [("gw-1", False), ("gw-2", True)]


async def test_wrong_urls_and_unknown_environments_are_named(door: Door) -> None:
    wrong_url = await door.call("POST", "/api/v1/gateways", {**GATEWAY, "url": "file:///etc/passwd"})
    wrong_place = await door.call("POST", "/api/v1/gateways", {**GATEWAY, "environment": "mars"})

    assert (wrong_url.status, wrong_url.body["errors"][0]["path"]) == (422, "/url")
    assert (wrong_place.status, wrong_place.body["errors"][0]["path"]) == (422, "/environment")
    assert "development, staging, production" in wrong_place.body["detail"]


async def test_gateways_are_listed_in_pages(door: Door) -> None:
    for number in range(5):
        await door.call("POST", "/api/v1/gateways", {**GATEWAY, "gateway_id": f"gw-{number}"})

    first = await door.call("GET", "/api/v1/gateways?limit=3")
    rest = await door.call("GET", f"/api/v1/gateways?limit=3&cursor={first.body['next_cursor']}")

    assert [item["gateway_id"] for item in first.items + rest.items] == [f"gw-{number}" for number in range(5)]
    assert rest.body["next_cursor"] is None


async def test_a_gateway_with_active_deployments_neither_goes_nor_moves(door: Door) -> None:
    await door.call("POST", "/api/v1/gateways", GATEWAY)
    await announce(door, {"deployment_id": "dep-1"})

    gone = await door.call("DELETE", "/api/v1/gateways/gw-1")
    moved = await door.call("PUT", "/api/v1/gateways/gw-1", {"environment": "production", "url": GATEWAY["url"]})
    await announce(door, {"deployment_id": "dep-1", "status": "removed", "deployed_at": NOON + timedelta(hours=1)})
    afterwards = await door.call("DELETE", "/api/v1/gateways/gw-1")

    assert (gone.status, moved.status, afterwards.status) == (409, 409, 204)
    assert "1 active deployments" in gone.body["detail"]


async def test_a_gateway_on_which_promotions_execute_stays_but_may_get_a_new_address(door: Door) -> None:
    await door.call("POST", "/api/v1/gateways", GATEWAY)
    promotion_id = "0190aaaa-0000-7000-8000-000000000001"
    await door.execute(
        "INSERT INTO promotion.promotion (organization_id, id, agent_id, source_deployment_id, target_gateway_id, "
        "target_environment, deployment_version, origin, created_by, created_at, status, status_reason, "
        "status_message, version, changed_at, evaluation_number, approvals, released, expires_at) VALUES "
        "('acme', $1, 'agent', 'dep-1', 'gw-1', 'staging', '1', 'user', 'ann', now(), 'pending', 'evaluating', '', 1, "
        "now(), 0, 0, true, now() + interval '1 day')",
        promotion_id,
    )
    for step, version in (("queued", 2), ("executing", 3)):
        await door.execute(
            "UPDATE promotion.promotion SET status = 'approved', status_reason = $1, version = $2, "
            "executing_at = now(), executing_version = $2 WHERE id = $3",
            step,
            version,
            promotion_id,
        )

    gone = await door.call("DELETE", "/api/v1/gateways/gw-1")
    moved = await door.call("PUT", "/api/v1/gateways/gw-1", {"environment": "production", "url": GATEWAY["url"]})
    readdressed = await door.call("PUT", "/api/v1/gateways/gw-1", {"environment": "staging", "url": "http://gw:8443/2"})
    elsewhere = await door.call("DELETE", "/api/v1/gateways/gw-1", organization="globex")

    assert (gone.status, moved.status, readdressed.status, elsewhere.status) == (409, 409, 200, 404)
    assert promotion_id in gone.body["detail"]


async def test_environments_are_an_ordered_list_of_the_organization(door: Door) -> None:
    before = await door.call("GET", "/api/v1/environments", role="viewer")
    put = await door.call("PUT", "/api/v1/environments", {"names": ["dev", "prod"]})
    after = await door.call("GET", "/api/v1/environments")
    elsewhere = await door.call("GET", "/api/v1/environments", organization="globex")

    assert before.body == elsewhere.body == {"names": ["development", "staging", "production"]}
    assert put.body == after.body == {"names": ["dev", "prod"]}


async def test_an_environment_with_gateways_stays_in_the_list(door: Door) -> None:
    await door.call("POST", "/api/v1/gateways", GATEWAY)

    refused = await door.call("PUT", "/api/v1/environments", {"names": ["development", "production"]})
    twice = await door.call("PUT", "/api/v1/environments", {"names": ["staging", "staging"]})

    assert (refused.status, "staging" in refused.body["detail"]) == (409, True)
    assert twice.status == 422


async def test_deployments_are_listed_newest_first_filtered_and_paged(door: Door) -> None:
    await announce(
        door,
        {"deployment_id": "a"},
        {"deployment_id": "b"},
        {"deployment_id": "c", "gateway_id": "gw-2", "environment": "unheard-of"},
        {"deployment_id": "d", "agent_id": "other", "status": "failed", "error": "no room"},
    )

    everything = await door.call("GET", "/api/v1/deployments", role="viewer")
    first = await door.call("GET", "/api/v1/deployments?limit=3")
    rest = await door.call("GET", f"/api/v1/deployments?limit=3&cursor={first.body['next_cursor']}")
    active = await door.call("GET", "/api/v1/deployments?status=active&environment=staging&agent_id=agent")
    foreign = await door.call("GET", "/api/v1/deployments", organization="globex")

    assert [(item["deployment_id"], item["status"]) for item in everything.items] == [
        ("d", "failed"),
        ("c", "active"),
        ("b", "active"),
        ("a", "retired"),
    ]
    assert everything.items[0]["error"] == "no room"
    assert first.items + rest.items == everything.items
    assert [item["deployment_id"] for item in active.items] == ["b"]
    assert foreign.items == []


async def test_of_one_id_on_several_gateways_the_active_one_is_given(door: Door) -> None:
    await announce(
        door,
        {"deployment_id": "a", "gateway_id": "gw-1"},
        {"deployment_id": "a", "gateway_id": "gw-2", "status": "failed"},
    )

    preferred = await door.call("GET", "/api/v1/deployments/a")
    named = await door.call("GET", "/api/v1/deployments/a?gateway_id=gw-2")
    foreign = await door.call("GET", "/api/v1/deployments/a", organization="globex")
    unknown = await door.call("GET", "/api/v1/deployments/a", organization="initech")

    assert (preferred.body["gateway_id"], named.body["gateway_id"]) == ("gw-1", "gw-2")
    assert (foreign.status, foreign.body) == (unknown.status, unknown.body) == (404, foreign.body)


async def test_only_the_executor_says_which_promotion_a_deployment_is_of(door: Door) -> None:
    promotion = "00000000-0000-0000-0000-000000000007"
    await announce(door, {"deployment_id": "a", "promotion_id": promotion})
    before = await door.call("GET", "/api/v1/deployments/a")

    await announce(door, {"deployment_id": "a", "promotion_id": promotion}, source="/executor/acme")
    after = await door.call("GET", "/api/v1/deployments")

    assert before.body["promotion_id"] is None
    assert [item["promotion_id"] for item in after.items] == [promotion]
