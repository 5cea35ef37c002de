"""What the dashboard and the alerts ask for is in the metrics of a system that has done some work."""

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.api import announce, caller, deployment_event
from tests.end_to_end.conftest import RunStack
from tests.end_to_end.stack import RunningStack
from tests.fixtures.observing import OF_PROMETHEUS, asked

# What a family's series are called.
ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> RunningStack:
    return run_stack()


async def scraped(stack: RunningStack) -> list[Metric]:
    """Read the metrics of the stack's one process."""
    async with aiohttp.ClientSession() as session, session.get(f"{stack.ready['api']}/metrics") as answer:
        return list(text_string_to_metric_families(await answer.text()))


async def test_every_metric_of_dashboard_and_alerts_is_there_and_counts_a_promotion(stack: RunningStack) -> None:
    admin, requester = caller(stack.ready, "admin"), caller(stack.ready, "requester")
    await announce(admin, deployment_event("dep-counted", "agent-counted", "development"))
    body = {"agent_id": "agent-counted", "source_deployment_id": "dep-counted", "target_environment": "staging"}
    promotion = await requester.post("/promotions", body)
    await requester.until(f"/promotions/{promotion['id']}", status="completed")

    families = await scraped(stack)

    made = {family.name + end for family in families for end in ENDS.get(family.type, ())}
    assert {each.metric for each in asked()} - OF_PROMETHEUS - made == set()
    counted: dict[str, float] = {}
    for sample in (sample for family in families for sample in family.samples):
        counted[sample.name] = counted.get(sample.name, 0.0) + sample.value
    times = ("promotion_lead_seconds", "promotion_evaluation_seconds", "promotion_execution_seconds")
    assert [counted[f"{name}_count"] for name in times] == [1.0, 1.0, 1.0]
    assert counted["promotion_steps_total"] == 4.0
    assert counted["promotion_gateway_calls_total"] == counted["promotion_executions_settled_total"] == 1.0
    assert counted["promotion_http_seconds_count"] >= 3.0
