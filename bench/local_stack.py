"""The local stack under measurement: started as a user would start it, watched from outside, stopped at the end."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 240
SERVERS = frozenset({"supervisor", "lifeline", "postgres", "kafka"})


@dataclass
class LocalStack:
    """What the ready file says, and what has been started beside it since."""

    ready: dict[str, Any]
    folder: Path
    kafka: str
    # Further workers of services, by name.
    workers: dict[str, int] = field(default_factory=dict)

    @property
    def pids(self) -> dict[str, int]:
        """Give the process ids by name."""
        return {**self.ready["processes"], **self.workers}

    @property
    def services(self) -> list[str]:
        """Name the processes that are services."""
        return [name for name in self.pids if name not in SERVERS and not name.startswith("gw-")]

    @property
    def postgres_log(self) -> Path:
        return self.folder / "data" / "postgres" / "postgres.log"

    def gateway(self, identifier: str) -> Mapping[str, str]:
        """Give id, url and log of a gateway."""
        found: Mapping[str, str] = next(each for each in self.ready["gateways"] if each["id"] == identifier)
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """Give the processor time that each process has used so far, the server's workers together with it."""
        return self._summed(lambda process: sum(process.cpu_times()[:2]))

    def memory_mb(self) -> dict[str, float]:
        """Give the memory of each process, its share of shared pages counted once."""
        return self._summed(lambda process: process.memory_full_info().pss / 1e6)

    def peak_memory_mb(self) -> dict[str, float]:
        """Give the most memory that each process ever had, shared pages counted whole; the server is left out."""
        return {name: _peak_mb(pid) for name, pid in self.pids.items() if name != "postgres"}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the machine to others: everything stands still but PostgreSQL and the gateway of the target.

        An Apache Kafka goes on, and so do its clients, whose sessions would run out; they cost little while idle.
        """
        going_on = {"postgres", "gw-staging", "lifeline", "supervisor"}
        stopped = [] if self.kafka == "apache" else [pid for name, pid in self.pids.items() if name not in going_on]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def _summed(self, measure: Callable[[psutil.Process], float]) -> dict[str, float]:
        totals: dict[str, float] = {}
        for name, pid in self.pids.items():
            totals[name] = sum(_measured(measure, process) for process in _with_children(pid, name))
        return totals


def _measured(measure: Callable[[psutil.Process], float], process: psutil.Process) -> float:
    try:
        return measure(process)
    except psutil.NoSuchProcess:
        return 0.0


def _with_children(pid: int, name: str) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children()] if name == "postgres" else [process]


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"/proc/{pid}/status names no peak of memory; this needs Linux")


@contextmanager
def local_stack(
    *options: str, kafka: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[LocalStack]:
    """Run `promotion up` with `options`, by default on a data folder of its own; `environment` is added to ours."""
    if folder is None:
        with (
            tempfile.TemporaryDirectory(prefix="promotion-bench-") as own,
            local_stack(*options, kafka=kafka, environment=environment, folder=Path(own)) as stack,
        ):
            yield stack
        return
    ready_file, log = folder / "ready.json", folder / "stack.log"
    ready_file.unlink(missing_ok=True)
    command = [
        str(Path(sys.executable).parent / "promotion"),
        *("up", "--data-dir", f"{folder}/data", "--port", "0", "--ready-file", str(ready_file)),
        *("--kafka", kafka, "--attached", *options),
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
    stack = LocalStack({}, folder, kafka)
    try:
        stack.ready = _await_ready(process, ready_file, log)
        yield stack
    finally:
        for pid in stack.workers.values():
            os.kill(pid, signal.SIGTERM)
        process.terminate()
        process.wait(60)


def _await_ready(process: "subprocess.Popen[bytes]", ready_file: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise SystemExit(f"the stack did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
    ready: dict[str, Any] = json.loads(ready_file.read_text())
    return ready
