"""Executions on a real database and a real gateway: once each, whatever the gateway answers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from schemas.events import Event, PromotionApproved
from services.platform.messaging.consumer import Unprocessable
from studio.gateway import folded_state, read_log
from studio.gateway.records import RequestReceived
from tests.integration.executor.executors import (
    ORGANIZATION,
    Executor,
    Neighbours,
    order,
    promotion_of,
    reference_gateway,
)


def live(log: Path) -> set[str]:
    return {deployment.deployment_id for deployment in folded_state(log).live_by_slot().values()}


def requests(log: Path, method: str) -> list[RequestReceived]:
    return [item for item in read_log(log) if isinstance(item, RequestReceived) and item.method == method]


async def test_an_approved_promotion_becomes_one_deployment_and_one_report(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order(digest="sha256:1")
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)

        await executor.receive(event)
        await executor.work()

    key = str(promotion_of(event))
    ((_, value),) = await executor.reports()
    report = json.loads(value)
    assert await executor.statuses() == {key: "succeeded"}
    assert live(gateway.log) == {key}
    assert (report["deployment_id"], report["status"], report["digest"]) == (key, "succeeded", "sha256:1")


async def test_a_repeated_order_makes_no_second_deployment_and_the_same_report_again(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)

        await executor.receive(event, event)
        await executor.receive(event)
        await executor.work()
        await neighbours.end(promotion_of(event), "completed")
        await executor.receive(event)
        await executor.work()

    first, second = await executor.reports()
    assert first == second
    assert len(requests(gateway.log, "PUT")) == 1


async def test_an_order_that_its_promotion_does_not_vouch_for_is_refused(
    executor: Executor, neighbours: Neighbours
) -> None:
    unknown, vouched = order(), order(digest="sha256:approved")
    await neighbours.execute(vouched)
    altered = replace(vouched, data=vouched.data.model_copy(update={"digest": "sha256:other"}))

    for event in (unknown, altered):
        with pytest.raises(Unprocessable, match="not executing"):
            await executor.receive(event)

    assert await executor.statuses() == {}


AMBIGUOUS: list[dict[str, Any]] = [
    {"fault": "success_then_timeout"},
    {"fault": "hang"},
    {"fault": "hang", "when": "after_effect"},
    {"fault": "reset"},
    {"fault": "reset", "when": "after_effect"},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502, "when": "after_effect"},
    {"fault": "status", "status": 429, "retry_after_seconds": 3},
    {"fault": "error_then_success", "times": 1},
    {"fault": "late_success", "delay_ms": 20},
    {"fault": "duplicate_answer"},
    {"fault": "wrong_id"},
    {"fault": "garbage"},
    {"fault": "huge_body"},
    {"fault": "redirect"},
    {"fault": "cut"},
    {"fault": "slow", "delay_ms": 600},
]


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda fault: "-".join(str(part) for part in fault.values()))
async def test_after_an_ambiguous_answer_there_is_one_deployment_and_it_completes(
    executor: Executor, neighbours: Neighbours, tmp_path: Path, fault: dict[str, Any]
) -> None:
    event = order()
    async with reference_gateway(tmp_path, {"match": {"method": "PUT", "nth": 1}, "do": fault}) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)

        await executor.work()
        await executor.work_on(seconds=8)

    key = str(promotion_of(event))
    puts = requests(gateway.log, "PUT")
    assert await executor.statuses() == {key: "succeeded"}
    assert live(gateway.log) == {key}
    assert len(await executor.reports()) == 1
    assert len({(put.key, put.body_sha256) for put in puts}) == 1
    if len(puts) > 1:
        methods = [item.method for item in read_log(gateway.log) if isinstance(item, RequestReceived)]
        assert methods[:2] == ["PUT", "GET"]


async def test_a_gateway_that_forgets_keys_is_asked_again_with_the_same_bytes(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    rules = (
        {"match": {"method": "PUT", "nth": 1}, "do": {"fault": "success_then_timeout"}},
        {"match": {"method": "GET", "nth": 1}, "do": {"fault": "forget"}},
    )
    async with reference_gateway(tmp_path, *rules) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)

        await executor.work()
        await executor.work_on(seconds=2)

    assert await executor.statuses() == {str(promotion_of(event)): "succeeded"}
    assert len({put.body_sha256 for put in requests(gateway.log, "PUT")}) == 1
    assert len(requests(gateway.log, "PUT")) == 2


@pytest.mark.parametrize("status", [400, 404, 405, 410, 413, 422])
async def test_a_refusal_fails_after_the_key_is_fenced(
    executor: Executor, neighbours: Neighbours, tmp_path: Path, status: int
) -> None:
    event = order()
    fault = {"fault": "status", "status": status, "when": "after_effect"}
    async with reference_gateway(tmp_path, {"match": {"method": "PUT"}, "do": fault}) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)

        await executor.work()

    ((_, value),) = await executor.reports()
    assert json.loads(value)["error_code"] == "gateway_refused"
    assert str(status) in json.loads(value)["error"]
    assert live(gateway.log) == set()
    assert folded_state(gateway.log).fenced == {str(promotion_of(event))}


async def test_other_content_under_our_key_is_fenced_and_the_execution_fails(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order(digest="sha256:approved")
    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await neighbours.execute(event)
        await executor.receive(event)
        await put_other_content(gateway.url, event)

        await executor.work()

    ((_, value),) = await executor.reports()
    assert json.loads(value)["error_code"] == "gateway_refused"
    assert "content_mismatch" in json.loads(value)["error"]
    assert live(gateway.log) == set()


async def put_other_content(url: str, event: Event) -> None:
    data = event.data
    assert isinstance(data, PromotionApproved)
    body = {
        "organization_id": ORGANIZATION, "agent_id": data.agent_id, "version": "0.9", "digest": None,
        "environment": "staging", "gateway_id": "gw-1", "source_deployment_id": "dep-0",
    }  # fmt: skip
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{url}/deployments/{data.promotion_id}", json=body) as response,
    ):
        assert response.status == 201


async def test_a_wrong_credential_can_be_corrected_before_the_deadline(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    async with reference_gateway(tmp_path, credential="right") as gateway:
        await neighbours.register("gw-1", gateway.url, credential="wrong")
        await neighbours.execute(event)
        await executor.receive(event)
        await executor.work()
        before = await executor.state_of(event)

        await neighbours.register("gw-1", gateway.url, credential="right")
        await executor.work_on(seconds=5)

    assert (before.status, before.doubtful) == ("waiting", False)
    assert "credential" in before.last_error
    assert live(gateway.log) == {str(promotion_of(event))}


async def test_an_unregistered_gateway_is_waited_for_until_it_is_registered(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    event = order()
    await neighbours.execute(event)
    await executor.receive(event)
    await executor.work()
    before = await executor.state_of(event)

    async with reference_gateway(tmp_path) as gateway:
        await neighbours.register("gw-1", gateway.url)
        await executor.work_on(seconds=5)

    assert "not registered" in before.last_error
    assert await executor.statuses() == {str(promotion_of(event)): "succeeded"}
