"""Rules as a resource: created, listed, replaced under If-Match, deleted with their history kept."""

from typing import Any
from uuid import uuid4

from sqlalchemy import text

from tests.integration.rules.calls import Client
from tests.integration.rules.conftest import World, only, requested

RULE: dict[str, Any] = {
    "name": "soak",
    "source_environment": "development",
    "target_environment": "staging",
    "requires_approval": False,
    "auto_promote": True,
    "conditions": {"field": "tests.pass_rate", "op": "gte", "value": 100},
}


async def test_a_created_rule_can_be_read_and_listed(client: Client) -> None:
    created = await client.call("POST", "/promotions/rules", RULE)

    assert (created.status, created.headers["etag"]) == (201, '"1"')
    identifier = created.json["id"]
    assert created.headers["location"].endswith(f"/promotions/rules/{identifier}")
    read = await client.call("GET", f"/promotions/rules/{identifier}", key="viewer")
    assert (read.status, read.json) == (200, created.json)
    assert read.json["conditions"] == RULE["conditions"]
    assert (read.json["created_by"], read.json["version"], read.json["status"]) == ("ada", 1, "active")
    listed = await client.call("GET", "/promotions/rules")
    assert listed.json == {"items": [created.json], "next_cursor": None}


async def test_pages_follow_one_another_newest_first(client: Client, world: World) -> None:
    for number in range(5):
        await client.call("POST", "/promotions/rules", {**RULE, "name": f"rule {number}"})
        world.after(seconds=1)

    names, cursor = [], ""
    while cursor is not None:
        page = (await client.call("GET", f"/promotions/rules?limit=2{cursor and '&cursor=' + cursor}")).json
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert names == [f"rule {number}" for number in (4, 3, 2, 1, 0)]


async def test_a_put_replaces_the_rule_and_keeps_the_old_version(client: Client, world: World) -> None:
    created = (await client.call("POST", "/promotions/rules", RULE)).json
    world.after(seconds=1)

    replaced = await client.call(
        "PUT", f"/promotions/rules/{created['id']}", {**RULE, "name": "longer soak"}, if_match='"1"'
    )

    assert (replaced.status, replaced.headers["etag"], replaced.json["name"]) == (200, '"2"', "longer soak")
    assert replaced.json["created_at"] == created["created_at"]
    assert await _versions(world) == [("soak", True), ("longer soak", False)]


async def test_the_same_put_again_changes_nothing(client: Client, world: World) -> None:
    created = (await client.call("POST", "/promotions/rules", RULE)).json

    again = await client.call("PUT", f"/promotions/rules/{created['id']}", RULE)

    assert (again.status, again.json) == (200, created)
    assert len(await _versions(world)) == 1


async def test_a_stale_etag_is_refused_with_the_current_one(client: Client) -> None:
    path = f"/promotions/rules/{(await client.call('POST', '/promotions/rules', RULE)).json['id']}"
    await client.call("PUT", path, {**RULE, "name": "other"})

    late = await client.call("PUT", path, {**RULE, "name": "mine"}, if_match='"1"')
    wrong = await client.call("DELETE", path, if_match="1")

    assert (late.status, late.headers["etag"], late.json["version"]) == (412, '"2"', 2)
    assert (wrong.status, wrong.json["errors"][0]["code"]) == (422, "invalid_etag")


async def test_a_deleted_rule_is_gone_for_readers_and_kept_for_the_record(client: Client, world: World) -> None:
    path = f"/promotions/rules/{(await client.call('POST', '/promotions/rules', RULE)).json['id']}"
    world.after(seconds=1)

    deleted = await client.call("DELETE", path)

    assert (deleted.status, deleted.text) == (204, "")
    assert (await client.call("GET", path)).status == 404
    assert (await client.call("DELETE", path)).status == 404
    assert await _versions(world) == [("soak", True)]


async def test_a_deleted_rule_stops_applying_at_once(client: Client, world: World) -> None:
    await world.deploy()
    rule = {**RULE, "required_approvers": 2, "requires_approval": True, "auto_promote": False, "conditions": None}
    path = f"/promotions/rules/{(await client.call('POST', '/promotions/rules', rule)).json['id']}"
    await world.request(requested())
    assert only(await world.evaluations()).required_approvers == 2
    world.after(seconds=1)

    await client.call("DELETE", path)
    await world.request(requested())

    assert only(await world.evaluations()).rules == ()


async def test_another_organizations_rule_looks_like_one_that_does_not_exist(client: Client) -> None:
    path = f"/promotions/rules/{(await client.call('POST', '/promotions/rules', RULE)).json['id']}"

    for method, body in (("GET", None), ("PUT", RULE), ("DELETE", None)):
        foreign = await client.call(method, path, body, key="outsider")
        random = await client.call(method, f"/promotions/rules/{uuid4()}", body, key="outsider")
        assert foreign.status == random.status == 404
        assert foreign.json["title"] == random.json["title"]
    assert (await client.call("GET", "/promotions/rules", key="outsider")).json["items"] == []


async def test_viewers_may_not_write_rules(client: Client) -> None:
    assert (await client.call("POST", "/promotions/rules", RULE, key="viewer")).status == 403


async def test_who_rules_one_environment_rules_only_the_hops_into_it(client: Client) -> None:
    production = {**RULE, "source_environment": "staging", "target_environment": "production"}
    theirs = (await client.call("POST", "/promotions/rules", production)).json["id"]

    assert (await client.call("POST", "/promotions/rules", RULE, key="staging-admin")).status == 201
    assert (await client.call("POST", "/promotions/rules", production, key="staging-admin")).status == 403
    assert (await client.call("PUT", f"/promotions/rules/{theirs}", RULE, key="staging-admin")).status == 403
    assert (await client.call("DELETE", f"/promotions/rules/{theirs}", key="staging-admin")).status == 403


async def test_everything_that_is_wrong_with_a_rule_is_said_at_once(client: Client) -> None:
    conditions = {"all": [{"field": "tests.passrate", "op": "gte", "value": 1}, {"op": "=="}]}

    refused = await client.call(
        "POST",
        "/promotions/rules",
        {
            **RULE,
            "target_environment": "production",
            "target_gateway_id": "gw-staging",
            "organization_id": "globex",
            "conditions": conditions,
        },
    )

    assert refused.status == 422
    found = {(error["path"], error["code"]) for error in refused.json["errors"]}
    assert {
        ("/organization_id", "wrong_organization"),
        ("/target_environment", "not_a_hop"),
        ("/target_gateway_id", "wrong_gateway"),
        ("/conditions/all/0/field", "unknown_field"),
    } <= found
    assert any(path.startswith("/conditions/all/1") for path, _ in found)
    assert all(error["hint"] for error in refused.json["errors"])


async def test_promoting_by_itself_needs_conditions(client: Client) -> None:
    for nothing in (None, {}):
        refused = await client.call("POST", "/promotions/rules", {**RULE, "conditions": nothing})
        assert refused.json["errors"][0]["code"] == "auto_promote_requires_conditions"


async def test_bodies_that_are_not_rules_are_refused_and_never_fail(client: Client) -> None:
    deep = b'{"name":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    for body, status in (
        (b"", 422),
        (b"{", 400),
        (deep, 400),
        (b'{"name":"a","name":"b"}', 400),
        (b'{"required_approvers":1e400}', 400),
        (b"[]", 422),
        (json_of(required_approvers=0), 422),
        (json_of(required_approvers=21), 422),
        (json_of(required_approvers=1.5), 422),
        (json_of(required_approvers=True), 422),
        (json_of(name="nul \x00"), 422),
        (json_of(name="  "), 422),
        (json_of(conditions={"all": []}), 422),
        (json_of(conditions=[]), 422),
        (json_of(version=7), 422),
        (json_of(status="paused"), 422),
    ):
        refused = await client.call("POST", "/promotions/rules", body)
        assert refused.status == status, (body[:60], refused)
        assert refused.headers["content-type"] == "application/problem+json"


def json_of(**fields: Any) -> Any:
    return {**RULE, **fields}


async def test_identifiers_that_are_no_rules_are_refused(client: Client) -> None:
    for identifier in ("rules", "..%2f", "%00", "1", "x" * 10_000):
        assert (await client.call("GET", f"/promotions/rules/{identifier}")).status in (404, 422)
    for cursor in ("x", "W10", "eyJhIjoxfQ", "x" * 5_000):
        assert (await client.call("GET", f"/promotions/rules?cursor={cursor}")).status == 422


async def _versions(world: World) -> list[tuple[str, bool]]:
    async with world.database.begin() as connection:
        rows = await connection.execute(
            text("SELECT name, valid_to IS NOT NULL AS ended FROM rules.rule_version ORDER BY version")
        )
        return [(row.name, row.ended) for row in rows]
