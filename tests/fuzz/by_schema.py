"""Schemathesis from the live OpenAPI document, on a stack where there is something to find, vote on and delete."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas import topics
from tests.end_to_end.api import Caller, announce, caller, deployment_event
from tests.fuzz.requests import RULE

WAITING = 30
_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# Of the time, what each kind of test gets: single calls, and walks along the document's links.
_SHARES = {"examples,coverage,fuzzing": 0.4, "stateful": 0.6}


def run(ready: Mapping[str, Any], *, seconds: float, seed: int) -> bool:
    """Run for ``seconds``; tell whether no server error was found."""
    asyncio.run(_furnish(ready))
    held = [_run(ready, phases, seconds * share, seed) for phases, share in _SHARES.items()]
    return all(held)


async def _furnish(ready: Mapping[str, Any]) -> None:
    """Leave promotions that wait, rules, gateways, webhooks and dead letters, so that walks lead somewhere."""
    admin, requester = caller(ready, "admin"), caller(ready, "requester")
    await _park(ready["kafka"])
    for number in range(WAITING):
        await _ask(admin, requester, number)
    for number in range(10):
        await admin.post("/promotions/rules", RULE | {"name": f"rule {number}"})
        address = {"environment": "development", "url": f"http://127.0.0.1:{19000 + number}"}
        await admin.post("/gateways", address | {"gateway_id": f"gw-{number}"})
        await admin.post("/webhooks", {"name": f"hook {number}", "url": f"http://127.0.0.1:{19500 + number}/"})


async def _park(kafka: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    for number in range(10):
        await producer.send_and_wait(topics.TESTS_COMPLETED, f"no event {number}".encode())
    await producer.stop()


async def _ask(admin: Caller, requester: Caller, number: int) -> None:
    deployment_id, agent_id = f"dep-{number}", f"agent-{number}"
    await announce(admin, deployment_event(deployment_id, agent_id, "staging"))
    body = {"agent_id": agent_id, "source_deployment_id": deployment_id, "target_environment": "production"}
    await requester.post("/promotions", body)


def _run(ready: Mapping[str, Any], phases: str, seconds: float, seed: int) -> bool:
    url = ready["api"]
    return subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis", "--config-file", _CONFIGURATION,
            "run", f"{url}/openapi.json", "--url", url,
            "--header", f"Authorization:Bearer {ready['tokens']['admin']}", "--checks", "not_a_server_error",
            "--max-time", str(int(seconds)), "--phases", phases, "--exclude-path", "/api/v1/stream",
            "--seed", str(seed), "--continue-on-failure", "--request-timeout", "20", "--workers", "1", "--no-color",
            "--warnings", "off", "--generation-database", "none", "--suppress-health-check", "all",
            "--max-examples", "100000",
        ],
        check=False,
    ).returncode == 0  # fmt: skip
