"""Each fault does what its name says: what the client sees, what the gateway then hosts, what its log tells."""

import asyncio
import errno
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from studio.gateway import ReferenceGateway, folded_state, read_log
from studio.gateway.records import EffectApplied, FaultApplied
from tests.contract.gateway.gateways import ContractClient, scripted

ON_FIRST_PUT = {"method": "PUT", "nth": 1}
NO_ANSWER = aiohttp.ClientTimeout(total=0.2)


@asynccontextmanager
async def faulty(tmp_path: Path, **do: object) -> AsyncIterator[tuple[ReferenceGateway, ContractClient]]:
    async with scripted(tmp_path, {"match": ON_FIRST_PUT, "do": do}) as pair:
        yield pair


async def raw_put(client: ContractClient, key: str, **options: Any) -> tuple[int, bytes]:
    path = f"/deployments/{key}"
    async with client.session.put(path, json=client.body(), allow_redirects=False, **options) as response:
        return response.status, await response.read()


def faults_logged(gateway: ReferenceGateway) -> list[str]:
    return [record.fault for record in read_log(gateway.log) if isinstance(record, FaultApplied)]


async def test_slow_answers_late(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="slow", delay_ms=120) as (gateway, client):
        begun = time.monotonic()
        status, _ = await raw_put(client, key)

    assert status == 201
    assert time.monotonic() - begun >= 0.12
    assert faults_logged(gateway) == ["slow"]


@pytest.mark.parametrize(("when", "found"), [("before_effect", 404), ("after_effect", 200)])
async def test_slow_takes_effect_before_or_after_its_delay(tmp_path: Path, key: str, when: str, found: int) -> None:
    async with faulty(tmp_path, fault="slow", delay_ms=300, when=when) as (gateway, client):
        putting = asyncio.create_task(raw_put(client, key))
        await asyncio.sleep(0.1)

        durable = key in folded_state(gateway.log).deployments
        meanwhile = await client.get(key)

        assert (meanwhile.status, durable) == (found, found == 200)
        assert (await putting)[0] == 201


@pytest.mark.parametrize(
    ("do", "found"),
    [
        ({"fault": "hang"}, 404),
        ({"fault": "hang", "when": "after_effect"}, 200),
        ({"fault": "success_then_timeout"}, 200),
    ],
)
async def test_no_answer_comes_and_the_effect_is_there_or_not(
    tmp_path: Path, key: str, do: dict[str, object], found: int
) -> None:
    async with faulty(tmp_path, **do) as (gateway, client):
        with pytest.raises(TimeoutError):
            await raw_put(client, key, timeout=NO_ANSWER)

        assert (await client.get(key)).status == found
        assert (await client.put(key)).status == (201 if found == 404 else 200)
        assert faults_logged(gateway) == [do["fault"]]


@pytest.mark.parametrize(("when", "found"), [("before_effect", 404), ("after_effect", 200)])
async def test_reset_ends_the_connection_before_or_after_the_effect(
    tmp_path: Path, key: str, when: str, found: int
) -> None:
    # twice, because aiohttp sends an idempotent request again by itself when its connection is reset
    rule = {"match": {"method": "PUT", "to_call": 2}, "do": {"fault": "reset", "when": when}}
    async with scripted(tmp_path, rule) as (gateway, client):
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await raw_put(client, key)

        assert caught.value.errno == errno.ECONNRESET
        assert (await client.get(key)).status == found
        assert faults_logged(gateway) == ["reset", "reset"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_status_answers_the_error_with_retry_after_and_no_effect(tmp_path: Path, key: str, status: int) -> None:
    async with (
        faulty(tmp_path, fault="status", status=status, retry_after_seconds=2) as (_, client),
        client.session.put(f"/deployments/{key}", json=client.body()) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (status, "2")
        assert (await response.json())["code"] == "scripted_fault"
        assert (await client.get(key)).status == 404


async def test_status_after_effect_is_a_lie(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="status", status=500, when="after_effect") as (_, client):
        status, _ = await raw_put(client, key)

        assert status == 500
        assert (await client.get(key)).status == 200


async def test_error_then_success_fails_the_first_calls_and_then_is_honest(tmp_path: Path, key: str) -> None:
    rule = {"match": {"method": "PUT"}, "do": {"fault": "error_then_success", "times": 2, "status": 503}}
    async with scripted(tmp_path, rule) as (_, client):
        statuses = [(await raw_put(client, key))[0] for _ in range(4)]

    assert statuses == [503, 503, 201, 200]


async def test_late_success_takes_effect_after_its_error(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="late_success", delay_ms=150, status=500) as (gateway, client):
        status, _ = await raw_put(client, key)
        at_once = await client.get(key)
        await asyncio.sleep(0.4)
        later = await client.get(key)

    assert (status, at_once.status, later.status) == (500, 404, 200)
    assert [record.request for record in read_log(gateway.log) if isinstance(record, EffectApplied)] == [1]


async def test_late_success_does_not_pass_a_fence(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="late_success", delay_ms=150) as (_, client):
        await raw_put(client, key)
        await client.delete(key)
        await asyncio.sleep(0.4)

        assert (await client.get(key)).status == 410
        assert await client.live_keys() == []


async def test_late_success_is_given_up_when_the_gateway_stops(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="late_success", delay_ms=60_000) as (gateway, client):
        await raw_put(client, key)

    assert not [record for record in read_log(gateway.log) if isinstance(record, EffectApplied)]


async def test_duplicate_answer_sends_the_same_bytes_twice(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="duplicate_answer") as (gateway, client):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        body = json.dumps(client.body()).encode()
        head = f"PUT /deployments/{key} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        received = await reader.read()
        writer.close()

    half = len(received) // 2
    assert received[:half] == received[half:]
    assert received.startswith(b"HTTP/1.1 201 ")


async def test_wrong_id_names_another_deployment(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="wrong_id") as (_, client):
        reply = await client.put(key)

        assert (reply.status, reply.json["deployment_id"]) == (201, f"not-{key}")
        assert (await client.get(key)).json["deployment_id"] == key


async def test_garbage_is_not_json(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="garbage") as (_, client):
        status, body = await raw_put(client, key)

        assert status == 201
        with pytest.raises(ValueError):
            json.loads(body)
        assert (await client.get(key)).status == 200


async def test_huge_body_is_as_large_as_asked(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="huge_body", size_bytes=3_000_000) as (_, client):
        status, body = await raw_put(client, key)

    assert (status, len(body)) == (201, 3_000_000)


async def test_redirect_sends_the_client_elsewhere_without_effect(tmp_path: Path, key: str) -> None:
    location = "http://127.0.0.1:1/elsewhere"
    async with faulty(tmp_path, fault="redirect", location=location) as (_, client):
        options: dict[str, Any] = {"json": client.body(), "allow_redirects": False}
        async with client.session.put(f"/deployments/{key}", **options) as response:
            assert (response.status, response.headers["Location"]) == (307, location)
        assert (await client.get(key)).status == 404


async def test_forget_loses_the_key_so_that_a_repeat_creates_again(tmp_path: Path, key: str) -> None:
    rule = {"match": {"method": "GET", "nth": 2}, "do": {"fault": "forget"}}
    async with scripted(tmp_path, rule) as (gateway, client):
        statuses = [
            (await client.put(key)).status,
            (await client.get(key)).status,
            (await client.get(key)).status,
            (await client.put(key)).status,
        ]

    assert statuses == [201, 200, 404, 201]
    effects = [record.effect.kind for record in read_log(gateway.log) if isinstance(record, EffectApplied)]
    assert effects == ["created", "forgotten", "created"]


async def test_cut_sends_half_of_the_body(tmp_path: Path, key: str) -> None:
    async with faulty(tmp_path, fault="cut") as (_, client):
        with pytest.raises(aiohttp.ClientPayloadError):
            await raw_put(client, key)

        assert (await client.get(key)).status == 200


async def test_rules_for_an_agent_meet_its_lookups_and_deletes_too(tmp_path: Path, key: str) -> None:
    rule = {"match": {"agent_id": "agent-9", "method": "DELETE"}, "do": {"fault": "status", "status": 503}}
    async with scripted(tmp_path, rule) as (_, client):
        await client.put(key, agent_id="agent-9")
        async with client.session.delete(f"/deployments/{key}") as response:
            assert response.status == 503


async def test_a_refused_request_meets_no_fault(tmp_path: Path, key: str) -> None:
    async with scripted(tmp_path, {"do": {"fault": "hang"}}) as (gateway, client):
        assert (await client.put(key, raw=b"{")).status == 422

    assert faults_logged(gateway) == []


async def test_faults_are_scripted_at_run_time_where_allowed(tmp_path: Path, key: str) -> None:
    log = tmp_path / "gateway.log"
    script = {"seed": 1, "rules": [{"do": {"fault": "status", "status": 503}}]}
    async with (
        ReferenceGateway(log=log, gateway_id="gw-1", environment="staging", allow_faults=True) as gateway,
        aiohttp.ClientSession(gateway.url) as session,
    ):
        client = ContractClient(session, gateway_id="gw-1", environment="staging")
        put = await client.ask("PUT", "/faults", json=script)
        faulty_status, _ = await raw_put(client, key)
        shown = await client.ask("GET", "/faults")
        refused = await client.ask("PUT", "/faults", json={"rules": [{"do": {"fault": "explode"}}]})
        deleted = await client.ask("DELETE", "/faults")
        honest_status, _ = await raw_put(client, key)

    assert (put.status, faulty_status, refused.code, deleted.status, honest_status) == (
        200, 503, "malformed_body", 204, 201
    )  # fmt: skip
    assert (put.json["applied"], shown.json["applied"], shown.json["seed"]) == ([0], [1], 1)


async def test_faults_cannot_be_scripted_at_run_time_where_not_allowed(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (_, client):
        replies = [await client.ask(method, "/faults") for method in ("GET", "PUT", "DELETE")]

    assert {(reply.status, reply.code) for reply in replies} == {(403, "faults_not_allowed")}
