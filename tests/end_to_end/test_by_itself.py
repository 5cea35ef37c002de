"""A rule promotes by itself: real events on Kafka, the real clock, and the explanation of it all."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.end_to_end.api import announce, caller, deployment_event
from tests.end_to_end.conftest import RunStack
from tests.end_to_end.stack import RunningStack

SOAK_SECONDS = 6


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> RunningStack:
    return run_stack()


def publish(stack: RunningStack, topic: str, identifier: str, data: Mapping[str, Any]) -> None:
    """Publish a CloudEvent in binary mode, as any service with a Kafka client would."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": identifier,
        "ce_source": "/ci/acme",
        "ce_type": f"studio.{topic}.v1",
        "ce_time": datetime.now(UTC).isoformat(),
        "content-type": "application/json",
    }
    producer = Producer({"bootstrap.servers": stack.ready["kafka"], "acks": "all"})
    producer.produce(
        topic,
        key=str(data["deployment_id"]),
        value=json.dumps({"organization_id": "acme", **data}),
        headers=[(name, value.encode()) for name, value in headers.items()],
    )
    assert producer.flush(10) == 0


async def test_facts_from_kafka_and_a_soak_bring_a_deployment_to_staging_and_say_why(stack: RunningStack) -> None:
    admin = caller(stack.ready, "admin")
    begun = datetime.now(UTC)
    hours = float(round(Decimal(SOAK_SECONDS) / 3600, 8))
    rule = {
        "name": "fit for staging",
        "source_environment": "development",
        "target_environment": "staging",
        "requires_approval": False,
        "auto_promote": True,
        "conditions": {
            "all": [
                {"field": "tests.pass_rate", "op": "gte", "value": 100},
                {"field": "metrics.error_rate", "op": "lte", "value": 0.01},
                {"field": "deployment.duration_hours", "op": "gte", "value": hours},
            ]
        },
    }
    created = await admin.post("/promotions/rules", rule)
    event = deployment_event(
        "dep-soak", "agent-soak", "development", deployed_at=begun.isoformat().replace("+00:00", "Z")
    )
    await announce(admin, {**event, "time": begun.isoformat()})
    run = {"deployment_id": "dep-soak", "suite": "smoke", "run_id": "run-1", "passed": 12, "failed": 0}
    publish(stack, "tests.completed", "t-1", run)
    publish(stack, "metrics.observed", "m-1", {"deployment_id": "dep-soak", "metrics": {"error_rate": 0.004}})

    explained = await admin.until("/deployments/dep-soak/explain", would_promote=False)
    due = begun + timedelta(seconds=SOAK_SECONDS)
    promotion = (await admin.until("/promotions?agent_id=agent-soak", next_cursor=None))["items"]
    assert promotion == []
    assert explained["rules"][0]["explanation"]["blockers"][-1] == "/all/2"

    arrived = await completed(admin, "agent-soak")

    asked = datetime.fromisoformat(arrived["created_at"])
    assert timedelta(0) <= asked - due <= timedelta(seconds=1)
    assert (arrived["origin"], arrived["created_by"]) == ("auto", f"rule:{created['id']}")
    assert arrived["target_deployment_id"] is not None
    why = await admin.get(f"/promotions/{arrived['id']}/explain")
    leaves = why["decided"]["rules"][0]["tree"]["children"]
    assert [leaf["result"] for leaf in leaves] == ["true", "true", "true"]
    assert leaves[0]["event"] == {"source": "/ci/acme", "id": "t-1"}
    facts = {item["field"]: item for item in (await admin.get("/deployments/dep-soak/facts"))["items"]}
    assert facts["metrics.error_rate"]["event_id"] == "m-1"
    after = await admin.get("/deployments/dep-soak/explain")
    assert (after["would_promote"], after["rules"][0]["obstacle"]["code"]) == (False, "completed")


async def completed(admin: Any, agent_id: str) -> Any:
    async with asyncio.timeout(30):
        while True:
            items = (await admin.get(f"/promotions?agent_id={agent_id}"))["items"]
            if items and items[0]["status"] == "completed":
                assert len(items) == 1
                return items[0]
            await asyncio.sleep(0.05)
