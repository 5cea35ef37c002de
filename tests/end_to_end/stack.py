"""`promotion up` as a user starts it: a process, its ready file, its end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

START_SECONDS = 240.0


class RunningStack:
    """`promotion up` as a process, and what its ready file says now; ``environment`` is added to its own."""

    def __init__(self, folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.data_folder = folder / "data"
        self._ready_file = folder / "ready.json"
        self._log = folder / "stack.log"
        self._environment = {**os.environ, **(environment or {})}
        self._command = [
            str(Path(sys.executable).parent / "promotion"),
            *("up", "--data-dir", str(self.data_folder), "--port", "0", "--ready-file", str(self._ready_file)),
            "--attached",
            *options,
        ]
        self._start()

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says now; processes and the broker may have moved since the start."""
        ready: dict[str, Any] = json.loads(self._ready_file.read_text())
        return ready

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def gateway_log(self, gateway_id: str) -> Path:
        return next(Path(gateway["log"]) for gateway in self.ready["gateways"] if gateway["id"] == gateway_id)

    def kill(self, name: str) -> int:
        """SIGKILL the process called ``name``; give the pid that it had."""
        pid: int = self.ready["processes"][name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def _start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=self._environment
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise AssertionError(f"the stack did not start:\n{self.log[-5000:]}")
            time.sleep(0.05)
