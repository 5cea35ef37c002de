"""A local stack that a test started: its ready file, its output, its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from studio.client import SyncPromotionClient
from studio.problems import ApiError, Unreachable

PROGRAM = str(Path(sys.executable).with_name("promotion"))
READY_SECONDS = 150.0


class RunningStack:
    """`promotion up` on `folder`."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.ready_file = folder / "ready.json"
        self._output = folder / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it and wait for the ready file."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(PROGRAM, "up", "--port", "0", "--gateway-ports", "0,0,0"),
                    *("--data-dir", str(self.data), "--ready-file", str(self.ready_file), "--attached", *options),
                ],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=os.environ | {"PROMOTION_REDRIVE_AFTER_SECONDS": "1"},
            )
        until(lambda: self.ready_file.exists() or self._process.poll() is not None, READY_SECONDS)  # type: ignore[union-attr]
        assert self.ready_file.exists(), self.said

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says now."""
        document: dict[str, Any] = json.loads(self.ready_file.read_text())
        return document

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self._output.read_text()

    def environment(self, identity: str) -> dict[str, str]:
        """The environment in which commands speak to it as `identity`."""
        ready = self.ready
        return os.environ | ready["environment"] | {"PROMOTION_API_KEY": ready["tokens"][identity]}

    def command(self, *arguments: str, identity: str = "admin") -> subprocess.CompletedProcess[str]:
        """Run one command against it."""
        return run_program(self.environment(identity), *arguments)

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout_seconds: float = 15.0) -> int:
        """Give the exit status."""
        assert self._process is not None
        return self._process.wait(timeout_seconds)

    def stop(self) -> None:
        """End it; harmless where it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)

    def processes(self) -> list[psutil.Process]:
        """Every process of it, whoever started which."""
        supervisor = psutil.Process(self.ready["processes"]["supervisor"])
        return [supervisor, *supervisor.children(recursive=True)]

    def announce(self, deployment_id: str, *, agent_id: str = "agent-123", environment: str = "development") -> None:
        """Hand in that a deployment runs on the gateway of `environment`."""
        event = _deployed(deployment_id, agent_id=agent_id, environment=environment)
        ready = self.ready
        with SyncPromotionClient(ready["api"], ready["tokens"]["admin"]) as client:
            client.send_events([event])

    def knows(self, deployment_id: str) -> bool:
        """Whether inventory has learnt of it, through Kafka."""
        ready = self.ready
        with SyncPromotionClient(ready["api"], ready["tokens"]["viewer"]) as client:
            try:
                client.get_deployment(deployment_id)
            except (ApiError, Unreachable):
                return False
        return True


def _deployed(deployment_id: str, *, agent_id: str, environment: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/tests",
        "type": "studio.deployment.completed.v1",
        "subject": deployment_id,
        "time": now,
        "data": {
            "organization_id": "acme",
            "deployment_id": deployment_id,
            "agent_id": agent_id,
            "environment": environment,
            "gateway_id": f"gw-{environment}",
            "version": "1.0.0",
            "status": "succeeded",
            "deployed_at": now,
        },
    }


def run_program(environment: Mapping[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run `promotion` to its end, whatever that is."""
    return subprocess.run(
        [PROGRAM, *arguments], env=environment, input=given, capture_output=True, text=True, check=False, timeout=60
    )


def run_script(script: str, folder: Path) -> str:
    """Run lines of a page as a reader does in `folder`; give what they print."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(condition: Callable[[], object], timeout_seconds: float = 30.0) -> None:
    """Wait for what another process does; fail when it does not."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
