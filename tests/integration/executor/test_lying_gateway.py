"""Many executions against a gateway that lies at random: none doubled, none lost, none failed wrongly."""

from collections import Counter
from pathlib import Path
from typing import Any

from studio.gateway import folded_state, read_log
from studio.gateway.records import FaultApplied, RequestReceived
from tests.integration.executor.executors import Executor, Neighbours, order, promotion_of, reference_gateway

EXECUTIONS = 300
LIES: list[dict[str, Any]] = [
    {"fault": "success_then_timeout"},
    {"fault": "reset"},
    {"fault": "reset", "when": "after_effect"},
    {"fault": "status", "status": 500, "when": "after_effect"},
    {"fault": "late_success", "delay_ms": 50},
    {"fault": "duplicate_answer"},
    {"fault": "wrong_id"},
    {"fault": "garbage"},
    {"fault": "cut"},
    {"fault": "forget"},
]


async def test_of_many_executions_with_ambiguous_answers_each_becomes_one_deployment(
    executor: Executor, neighbours: Neighbours, tmp_path: Path
) -> None:
    events = [order() for _ in range(EXECUTIONS)]
    rules = [{"match": {"probability": 0.04}, "do": lie} for lie in LIES]
    async with reference_gateway(tmp_path, *rules) as gateway:
        await neighbours.register("gw-1", gateway.url, concurrency=64)
        await neighbours.execute(*events)
        await executor.receive(*events)

        await executor.work_on(seconds=60, step_seconds=2)

    records = list(read_log(gateway.log))
    requests = [record for record in records if isinstance(record, RequestReceived)]
    bodies = Counter({(item.key, item.body_sha256) for item in requests if item.method == "PUT"})
    expected = {str(promotion_of(event)) for event in events}
    assert sum(isinstance(record, FaultApplied) for record in records) > EXECUTIONS / 5
    assert await executor.statuses() == dict.fromkeys(expected, "succeeded")
    assert len(await executor.reports()) == EXECUTIONS
    assert set(folded_state(gateway.log).deployments) >= expected - forgotten(gateway.log)
    assert len(bodies) == EXECUTIONS


def forgotten(log: Path) -> set[str]:
    """Keys that the gateway itself lost after it had answered."""
    forget = {item.request for item in read_log(log) if isinstance(item, FaultApplied) and item.fault == "forget"}
    found = (item for item in read_log(log) if isinstance(item, RequestReceived))
    return {item.key or "" for item in found if item.request in forget}
