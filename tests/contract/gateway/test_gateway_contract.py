"""What every gateway must do. Set GATEWAY_UNDER_TEST to the URL of another one to hold it against the same suite."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.contract.gateway.gateways import ContractClient


async def test_a_put_makes_a_deployment_live_and_shows_it(client: ContractClient, key: str) -> None:
    created = await client.put(key)

    shown = await client.get(key)

    assert (created.status, shown.status) == (201, 200)
    assert created.json == shown.json
    assert {**created.json, "deployed_at": None} == {
        **client.body(), "deployment_id": key, "status": "live", "deployed_at": None, "retired_at": None
    }  # fmt: skip
    assert datetime.fromisoformat(created.json["deployed_at"]).tzinfo is not None


async def test_a_repeat_answers_200_with_the_same_deployment(client: ContractClient, key: str) -> None:
    created = await client.put(key, token=1)

    repeated = [await client.put(key, token=1), await client.put(key, token=2), await client.put(key)]

    assert [reply.status for reply in repeated] == [200, 200, 200]
    assert all(reply.json == created.json for reply in repeated)


async def test_of_a_hundred_concurrent_puts_of_one_key_exactly_one_creates(client: ContractClient, key: str) -> None:
    replies = await asyncio.gather(*(client.put(key) for _ in range(100)))

    assert sorted(reply.status for reply in replies) == [200] * 99 + [201]
    assert await client.live_keys() == [key]


async def test_of_concurrent_puts_to_one_slot_one_is_live_in_the_end(client: ContractClient) -> None:
    keys = [f"{client.organization_id}-{number}" for number in range(30)]

    replies = await asyncio.gather(*(client.put(key) for key in keys))

    assert {reply.status for reply in replies} == {201}
    assert len(await client.live_keys()) == 1
    assert len((await client.page(status="retired")).json["items"]) == 29


async def test_the_next_deployment_of_a_slot_retires_the_earlier(
    client: ContractClient, key: str, later_key: str
) -> None:
    await client.put(key)

    later = await client.put(later_key, version="2")

    earlier = (await client.get(key)).json
    assert earlier["status"] == "retired"
    assert datetime.fromisoformat(earlier["retired_at"]) == datetime.fromisoformat(later.json["deployed_at"])


async def test_a_key_with_other_content_is_a_mismatch_that_names_the_field(client: ContractClient, key: str) -> None:
    await client.put(key)

    refused = await client.put(key, digest=None)

    assert (refused.status, refused.code) == (409, "content_mismatch")
    assert [error["path"] for error in refused.json["errors"]] == ["digest"]


async def test_a_lower_fencing_token_is_stale_for_put_and_delete(client: ContractClient, key: str) -> None:
    await client.put(key, token=7)

    refused = [await client.put(key, token=6), await client.delete(key, token=6)]

    assert [(reply.status, reply.code) for reply in refused] == [(409, "stale_fencing_token")] * 2
    assert (await client.get(key)).status == 200


async def test_a_fenced_key_answers_410_for_ever(client: ContractClient, key: str) -> None:
    await client.put(key, token=1)

    fenced = [await client.delete(key, token=1), await client.delete(key), await client.delete(key, token=0)]

    assert [reply.status for reply in fenced] == [204, 204, 204]
    later = [await client.put(key, token=99), await client.get(key)]
    assert [(reply.status, reply.code) for reply in later] == [(410, "fenced")] * 2
    assert await client.live_keys() == []


async def test_a_key_fenced_before_its_put_arrives_is_never_created(client: ContractClient, key: str) -> None:
    fenced = await client.delete(key)

    late = await client.put(key)

    assert (fenced.status, late.status) == (204, 410)
    assert (await client.page()).json["items"] == []


async def test_fencing_the_live_deployment_brings_the_earlier_one_back(
    client: ContractClient, key: str, later_key: str
) -> None:
    first = await client.put(key)
    await client.put(later_key, version="2")

    await client.delete(later_key)

    assert await client.live_keys() == [key]
    assert (await client.get(key)).json == first.json


async def test_an_unknown_key_is_404(client: ContractClient, key: str) -> None:
    assert (await client.get(key)).code == "unknown_key"


async def test_a_list_is_cut_into_pages_that_meet(client: ContractClient) -> None:
    keys = [f"{client.organization_id}-{number}" for number in range(5)]
    for number, key in enumerate(keys):
        await client.put(key, agent_id=f"agent-{number}")

    first = (await client.page(limit="3")).json
    second = (await client.page(limit="3", cursor=first["next_cursor"])).json

    assert [item["deployment_id"] for item in first["items"] + second["items"]] == keys
    assert second["next_cursor"] is None
    of_agent = (await client.page(agent_id="agent-4")).json["items"]
    assert [item["deployment_id"] for item in of_agent] == keys[4:]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"status": "dead"}, {"colour": "red"}]
)
async def test_a_query_that_means_nothing_is_422(client: ContractClient, query: dict[str, str]) -> None:
    reply = await client.page(**query)

    assert (reply.status, reply.code) == (422, "malformed_query")
    assert reply.json["errors"][0]["path"] == next(iter(query))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"version": ""}, "version"),
        ({"version": 1}, "version"),
        ({"version": None}, "version"),
        ({"agent_id": "a\x00b"}, "agent_id"),
        ({"agent_id": "a" * 256}, "agent_id"),
        ({"status": "live"}, "status"),
        ({"digest": ["x"]}, "digest"),
    ],
)
async def test_a_wrong_field_is_422_and_named(
    client: ContractClient, key: str, changes: dict[str, Any], path: str
) -> None:
    reply = await client.put(key, **changes)

    assert (reply.status, reply.code) == (422, "malformed_body")
    assert [error["path"] for error in reply.json["errors"]] == [path]
    assert (await client.get(key)).status == 404


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b'{"version": NaN}', b"[" * 60_000,
        b'{"version": "\\ud800"}', b'{"a":' * 10_000, b"1" * 5000, b'{"version": 1e131071}',
    ],
)  # fmt: skip
async def test_a_body_that_is_no_request_is_422(client: ContractClient, key: str, raw: bytes) -> None:
    reply = await client.put(key, raw=raw)

    assert (reply.status, reply.code) == (422, "malformed_body")


@pytest.mark.parametrize("changes", [{"gateway_id": "gw-other"}, {"environment": "other"}])
async def test_a_deployment_meant_for_another_gateway_is_refused(
    client: ContractClient, key: str, changes: dict[str, Any]
) -> None:
    assert (await client.put(key, **changes)).code == "wrong_gateway"


@pytest.mark.parametrize("token", ["", "-1", "1.0", "one", "٣", "9223372036854775808", "1" * 5000])
async def test_a_token_that_is_no_epoch_is_422(client: ContractClient, key: str, token: str) -> None:
    assert (await client.put(key, token=token)).code == "malformed_fencing_token"


@pytest.mark.parametrize("bad_key", ["%00", "a%2Fb", "%0d%0ax:1", "a b", "a" * 201, "-a", "%ff"])
async def test_a_key_that_no_deployment_can_have_is_422(client: ContractClient, bad_key: str) -> None:
    assert (await client.ask("GET", f"/deployments/{bad_key}")).code == "malformed_key"


async def test_health_needs_nothing(client: ContractClient) -> None:
    assert (await client.ask("GET", "/healthz")).json["status"] == "ok"
