"""The organization that the browser tests work in: agents, rules and promotions in every state worth showing."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.end_to_end.api import Caller, caller, deployment_event

AGENTS = ("claims-triage", "contract-summarizer", "invoice-reader", "refund-bot", "support-router")


@dataclass(frozen=True)
class Office:
    """Callers by name, and the promotions that tests look at."""

    ready: dict[str, Any]
    promotions: dict[str, str]

    def caller(self, name: str) -> Caller:
        return caller(self.ready, name)


def announcement(
    agent: str, version: str, environment: str, *, days_ago: float = 0.5, **more: object
) -> dict[str, Any]:
    moment = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    identifier = f"{agent}-{version}-{environment}"
    return {**deployment_event(identifier, agent, environment, version=version, deployed_at=moment, **more)}


async def furnish(ready: dict[str, Any]) -> Office:
    """Announce deployments, write rules, ask for promotions; give the ids of the latter by name."""
    admin, requester, approver = (caller(ready, name) for name in ("admin", "requester", "approver"))
    await _deployments(admin)
    rule = await admin.post("/promotions/rules", _RULE)
    await admin.post("/promotions/rules", {**_RULE, "name": "Stricter latency", "status": "shadow"})
    await _facts(admin)
    # The same id with other words: nobody can tell which was meant.
    await _send(admin, "metrics.observed", datetime.now(UTC).isoformat(), _CONTRADICTION)
    promotions = {"rule": rule["id"], "letter": await _letter(admin)}
    for name, agent, version in (
        ("waiting", "invoice-reader", "2.4.0"), ("unmet", "refund-bot", "5.0.0"),
        ("rejected", "claims-triage", "1.2.0"), ("voted", "support-router", "3.1.0"),
    ):  # fmt: skip
        promotions[name] = await ask(requester, f"{agent}-{version}-staging", agent, "production")
    for name in ("waiting", "voted", "unmet"):
        await requester.until(f"/promotions/{promotions[name]}", status_reason="awaiting_approval")
    await approver.post(f"/promotions/{promotions['voted']}/approve", {})
    await approver.post(f"/promotions/{promotions['rejected']}/reject", {"reason": "The evaluation set is from March"})
    promotions["done"] = await ask(requester, "contract-summarizer-0.9.0-development", "contract-summarizer", "staging")
    await requester.until(f"/promotions/{promotions['done']}", status="completed")
    promotions |= await _webhooks(ready, admin)
    return Office(ready, promotions)


async def ask(requester: Caller, deployment: str, agent: str, environment: str) -> str:
    """Ask for a promotion; give its id."""
    body = {"agent_id": agent, "source_deployment_id": deployment, "target_environment": environment}
    promotion = await requester.post("/promotions", body)
    return str(promotion["id"])


async def _deployments(admin: Caller) -> None:
    events = [
        announcement("claims-triage", "1.1.0", "production", days_ago=12),
        announcement("claims-triage", "1.2.0", "staging", days_ago=1),
        announcement("contract-summarizer", "0.9.0", "development", days_ago=0.1),
        announcement("contract-summarizer", "0.8.1", "staging", days_ago=3),
        announcement("invoice-reader", "2.5.0", "development", days_ago=0.05),
        announcement("invoice-reader", "2.4.0", "staging", days_ago=2),
        announcement("invoice-reader", "2.3.9", "production", days_ago=20),
        announcement("refund-bot", "5.0.0", "staging", days_ago=1),
        announcement("refund-bot", "4.9.2", "production", days_ago=40),
        announcement("support-router", "3.1.0", "staging", days_ago=0.3),
    ]
    for event in events:
        await admin.post("/events", event, {"Content-Type": "application/cloudevents+json"})
    await asyncio.gather(
        *(admin.until(f"/deployments/{event['data']['deployment_id']}", status="active") for event in events)
    )


async def _facts(admin: Caller) -> None:
    now = datetime.now(UTC).isoformat()
    for agent, version, passed, failed in (
        ("invoice-reader", "2.4.0", 198, 2), ("support-router", "3.1.0", 420, 0), ("refund-bot", "5.0.0", 81, 19),
        ("claims-triage", "1.2.0", 50, 0),
    ):  # fmt: skip
        deployment = f"{agent}-{version}-staging"
        tests = {"suite": "regression", "run_id": f"run-{agent}", "status": "finished", "passed": passed,
                 "failed": failed, "errors": 0, "skipped": 0}  # fmt: skip
        await _send(admin, "tests.completed", now, {"deployment_id": deployment, **tests})
        if agent != "refund-bot":
            metrics = {"error_rate": 0.004, "p95_latency_ms": 640}
            await _send(admin, "metrics.observed", now, {"deployment_id": deployment, "metrics": metrics})


async def _letter(admin: Caller) -> str:
    """Say of a deployment what cannot be; give the id of the dead letter."""
    event = announcement("claims-triage", "1.1.0", "production", days_ago=12)
    other = {**event, "id": "contradiction", "data": {**event["data"], "version": "9.9.9"}}
    await admin.post("/events", other, {"Content-Type": "application/cloudevents+json"})
    async with asyncio.timeout(30):
        while not (letters := (await admin.get("/dead-letters?reason=contradiction"))["items"]):
            await asyncio.sleep(0.05)
    return str(letters[0]["id"])


async def _webhooks(ready: dict[str, Any], admin: Caller) -> dict[str, str]:
    """Register one that is taken and one that is not, and send each a test; give their ids."""
    # A gateway answers a GET of its health, and no POST of anybody's.
    refusing = f"{ready['gateways'][0]['url']}/hooks/approvals"
    fails = await admin.post("/webhooks", {"name": "Release pipeline", "url": refusing})
    waits = await admin.post(
        "/webhooks",
        {
            "name": "Approvers' chat",
            "url": refusing,
            "filter": {"reasons": ["awaiting_approval"], "target_environments": ["production"]},
        },
    )
    await admin.post(f"/webhooks/{fails['id']}/test")
    async with asyncio.timeout(30):
        while not (await admin.get(f"/webhooks/{fails['id']}"))["failures"]:
            await asyncio.sleep(0.05)
    return {"webhook": fails["id"], "quiet webhook": waits["id"]}


async def _send(admin: Caller, topic: str, now: str, data: dict[str, Any]) -> None:
    event = {
        "specversion": "1.0", "id": f"{topic}-{data['deployment_id']}", "source": "/ci/acme",
        "type": f"studio.{topic}.v1", "time": now, "data": {"organization_id": "acme", **data},
    }  # fmt: skip
    await admin.post("/events", event, {"Content-Type": "application/cloudevents+json"})


_CONTRADICTION: dict[str, Any] = {"deployment_id": "invoice-reader-2.4.0-staging", "metrics": {"error_rate": 0.9}}
_RULE: dict[str, Any] = {
    "name": "Into production",
    "source_environment": "staging",
    "target_environment": "production",
    "requires_approval": True,
    "required_approvers": 2,
    "conditions": {
        "all": [
            {"field": "tests.pass_rate", "op": "gte", "value": 95, "description": "Regression tests pass"},
            {"field": "metrics.error_rate", "op": "lte", "value": 0.01},
        ]
    },
}
