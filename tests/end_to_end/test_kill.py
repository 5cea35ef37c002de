"""Any process killed at any time, and the broker with its data: nothing is lost and nothing is done twice."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bench.load import announcement, request
from services.platform.messaging.producer import Publisher, PublishFailed
from studio.gateway.records import EffectApplied, read_log
from studio.gateway.state import Created
from tests.end_to_end.api import caller
from tests.end_to_end.conftest import RunStack
from tests.end_to_end.stack import RunningStack

PROMOTIONS = 200
SERVICES = ("ingress", "promotion", "rules", "executor", "inventory")


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> RunningStack:
    return run_stack("--processes")


async def published(stack: RunningStack, records: list[Any]) -> None:
    publisher = Publisher(lambda: str(stack.ready["kafka"]), service="test", timeout_seconds=5)
    async with asyncio.timeout(60):
        while True:
            try:
                await publisher.publish(records)
            except PublishFailed:
                await asyncio.sleep(0.2)
            else:
                break
    await publisher.close()


async def count(stack: RunningStack, query: str, wanted: int, *, seconds: float = 90) -> None:
    database = await asyncpg.connect(stack.ready["postgres"], server_settings={"app.organizations": "*"})
    try:
        async with asyncio.timeout(seconds):
            while (seen := await database.fetchval(query)) != wanted:
                assert seen < wanted, f"{seen} of {wanted}: {query}"
                await asyncio.sleep(0.1)
    finally:
        await database.close()


def completed(prefix: str) -> str:
    return (
        "SELECT count(*) FROM promotion.promotion "
        f"WHERE status = 'completed' AND source_deployment_id LIKE 'dep-{prefix}-%'"
    )


async def in_development(stack: RunningStack, names: list[str], prefix: str) -> None:
    await published(stack, [record for name in names for record in announcement(name)])
    await count(
        stack,
        f"SELECT count(*) FROM inventory.published_deployment WHERE deployment_id LIKE 'dep-{prefix}-%'",
        len(names),
    )


async def replaced(stack: RunningStack, name: str, killed: int) -> None:
    """Wait until the ready file names another process; it may say so after the work is done."""
    async with asyncio.timeout(60):
        while stack.ready["processes"][name] == killed:
            await asyncio.sleep(0.1)


def deployed(log: Path, prefix: str) -> Counter[str]:
    """Count how often the gateway made each agent's deployment live."""
    return Counter(
        record.effect.content.agent_id
        for record in read_log(log)
        if isinstance(record, EffectApplied)
        and isinstance(record.effect, Created)
        and record.effect.content.agent_id.startswith(f"agent-{prefix}-")
    )


@pytest.mark.parametrize("victim", SERVICES)
async def test_a_service_killed_in_mid_stream_loses_and_doubles_nothing(stack: RunningStack, victim: str) -> None:
    names = [f"{victim}-{number:03d}" for number in range(PROMOTIONS)]
    await in_development(stack, names, victim)

    await published(stack, [request(name, label="test")[1] for name in names[:100]])
    killed = stack.kill(victim)
    await published(stack, [request(name, label="test")[1] for name in names[100:]])
    await count(stack, completed(victim), PROMOTIONS)

    await replaced(stack, victim, killed)
    effects = deployed(stack.gateway_log("gw-staging"), victim)
    assert len(effects) == PROMOTIONS
    assert set(effects.values()) == {1}


async def test_the_broker_killed_with_its_data_loses_and_doubles_nothing_accepted(stack: RunningStack) -> None:
    names = [f"broker-{number:03d}" for number in range(PROMOTIONS)]
    await in_development(stack, names, "broker")
    requester = caller(stack.ready, "requester")
    bodies = [
        {
            "agent_id": f"agent-{name}",
            "source_deployment_id": f"dep-{name}",
            "target_gateway_id": "gw-staging",
            "target_environment": "staging",
        }
        for name in names
    ]

    await asyncio.gather(*(requester.post("/promotions", body) for body in bodies[:100]))
    killed = stack.kill("kafka")
    await asyncio.gather(*(requester.post("/promotions", body) for body in bodies[100:]))
    await count(stack, completed("broker"), PROMOTIONS)

    await replaced(stack, "kafka", killed)
    effects = deployed(stack.gateway_log("gw-staging"), "broker")
    assert len(effects) == PROMOTIONS
    assert set(effects.values()) == {1}
