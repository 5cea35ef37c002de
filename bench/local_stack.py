"""The local stack under measurement: started as a user would start it, watched from outside, stopped at the end."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 120


@dataclass(frozen=True)
class LocalStack:
    """What the ready file says, and the process that wrote it."""

    ready: dict[str, Any]
    pid: int

    def cpu_seconds(self) -> dict[str, float]:
        """Give the processor time that each process has used so far, the server's workers together with it."""
        return self._summed(lambda process: sum(process.cpu_times()[:2]))

    def memory_mb(self) -> dict[str, float]:
        """Give the memory of each process, its share of shared pages counted once."""
        return self._summed(lambda process: process.memory_full_info().pss / 1e6)

    def _summed(self, measure: Callable[[psutil.Process], float]) -> dict[str, float]:
        totals: dict[str, float] = {}
        for name, pid in self.ready["processes"].items():
            totals[name] = sum(measure(process) for process in _with_children(pid, name))
        return totals


def _with_children(pid: int, name: str) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children()] if name == "postgres" else [process]


@contextmanager
def local_stack(*options: str) -> Iterator[LocalStack]:
    """Run `promotion up` with `options` on a data folder of its own."""
    with tempfile.TemporaryDirectory(prefix="promotion-bench-") as folder:
        ready_file = Path(folder) / "ready.json"
        log = Path(folder) / "stack.log"
        command = [
            str(Path(sys.executable).parent / "promotion"),
            *("up", "--data-dir", f"{folder}/data", "--port", "0", "--ready-file", str(ready_file), *options),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield LocalStack(_await_ready(process, ready_file, log), process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _await_ready(process: "subprocess.Popen[bytes]", ready_file: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the stack did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
    ready: dict[str, Any] = json.loads(ready_file.read_text())
    return ready
