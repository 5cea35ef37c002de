"""The exit statuses that the help promises, each from a running system."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from studio.client import SyncPromotionClient
from tests.integration.studio.running import PROGRAM, RunningStack, run_program, until

REFUSES = "refuses"
HANGS = "hangs"
_FAULTS = f"""
rules:
  - match: {{method: PUT, agent_id: {REFUSES}}}
    do: {{fault: status, status: 422}}
  - match: {{method: PUT, agent_id: {HANGS}}}
    do: {{fault: hang}}
"""


@pytest.fixture(scope="module")
def gateway(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A further gateway in staging, which refuses one agent and keeps another waiting."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "faults.yaml").write_text(_FAULTS)
    process = subprocess.Popen(
        [
            *(PROGRAM, "gateway", "--gateway-id", "gw-faulty", "--environment", "staging"),
            *("--log", str(folder / "gateway.log"), "--script", str(folder / "faults.yaml")),
        ],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    with SyncPromotionClient(stack.ready["api"], stack.ready["tokens"]["admin"]) as client:
        client.put_gateway("gw-faulty", {"environment": "staging", "url": url})
    yield "gw-faulty"
    process.terminate()
    process.wait(10)


def _promote(stack: RunningStack, gateway: str, agent: str, *options: str) -> subprocess.CompletedProcess[str]:
    deployment = f"dep-{uuid4().hex[:8]}"
    stack.announce(deployment, agent_id=agent)
    until(lambda: stack.knows(deployment))
    wish = ("--agent", agent, "--deployment", deployment, "--to", "staging", "--gateway", gateway)
    return stack.command("create", *wish, "--wait", *options, identity="requester")


def test_what_a_gateway_refuses_ends_with_seven(stack: RunningStack, gateway: str) -> None:
    done = _promote(stack, gateway, REFUSES)

    assert done.returncode == 7, done.stderr
    assert "gateway_refused" in done.stderr + done.stdout


def test_what_does_not_end_in_time_ends_with_nine(stack: RunningStack, gateway: str) -> None:
    done = _promote(stack, gateway, HANGS, "--timeout", "1.5")

    assert done.returncode == 9, done.stderr


def test_an_api_that_is_not_there_ends_with_ten(stack: RunningStack) -> None:
    done = stack.command("list", "--url", "http://127.0.0.1:1", identity="viewer")

    assert done.returncode == 10, done.stderr
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.parametrize("line", [("frobnicate",), ("create", "--agent", "a"), ("list", "--limit", "many")])
def test_a_line_that_cannot_be_understood_ends_with_two(line: tuple[str, ...], stack: RunningStack) -> None:
    assert stack.command(*line).returncode == 2


def test_a_service_that_cannot_begin_says_so(tmp_path: Path) -> None:
    done = run_program({"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, "run", "promotion")

    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
