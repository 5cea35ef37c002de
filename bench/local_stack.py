"""The local stack under measurement: started as a user would start it, watched from outside, stopped at the end."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
        """Give the processor time that each process of the stack has used so far."""
        return {name: sum(process.cpu_times()[:2]) for name, process in self._processes()}

    def memory_mb(self) -> dict[str, float]:
        """Give the resident memory of each process of the stack."""
        return {name: round(process.memory_info().rss / 1e6, 1) for name, process in self._processes()}

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        named = {pid: name for name, pid in self.ready["processes"].items()}
        root = psutil.Process(self.pid)
        for process in (root, *root.children(recursive=True)):
            try:
                name = named.get(process.pid) or f"{process.name()}-{process.pid}"
                process.status()
            except psutil.NoSuchProcess:
                continue
            yield name, process


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
