"""A process that outlives a killed supervisor by seconds, to end what that one left running.

It holds the reading end of the supervisor's pipe. Supervisor to lifeline, one JSON object a line:
`{"postgres": {"cluster": folder}}`, `{"child": pid, "started": seconds}`, `{"forget": pid}`. The end of the pipe is
the sign to act. It never signals a process that it cannot tell from a later one with the same pid.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from studio.local import postmaster
from studio.local.processes import died, wait_gone

_DRAIN_SECONDS = 2.0
_SAME_START_SECONDS = 1.0


class Lifeline:
    """The supervisor's end: tells a lifeline process what to end, should the supervisor be killed.

    Remembers what it told, so that `start` after `wait_died` makes a new one that knows as much.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._told: dict[str, dict[str, Any]] = {}

    @property
    def pid(self) -> int:
        """Process id of the lifeline."""
        return self._started().pid

    def start(self) -> None:
        """Start the process, which learns at once what was told before. Needs no running loop."""
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "studio.local.lifeline"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for message in self._told.values():
            self._send(message)

    def guard_cluster(self, cluster: Path) -> None:
        """Have the server of this cluster folder shut down; to be called before that server is started."""
        self._tell("postgres", {"postgres": {"cluster": os.fspath(cluster.resolve())}})

    def guard_process(self, pid: int) -> None:
        """Have this process, and its group where it leads one, ended; harmless where it is gone already."""
        with contextlib.suppress(psutil.NoSuchProcess):
            started = psutil.Process(pid).create_time()
            self._tell(str(pid), {"child": pid, "started": started, "leads": _leads(pid)})

    def forget_process(self, pid: int) -> None:
        """Take back `guard_process`, after the process has ended."""
        self._told.pop(str(pid), None)
        self._send({"forget": pid})

    def stop(self) -> None:
        """Close the pipe and wait. What is still guarded is ended now, so stop it in order before."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()

    def is_running(self) -> bool:
        """Whether the lifeline was started and has not died since."""
        return self._process is not None and self._process.poll() is None

    async def wait_died(self) -> int:
        """Return the exit status as soon as the lifeline has died."""
        return await died(self._started())

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The lifeline is not running.")
        return self._process

    def _tell(self, key: str, message: dict[str, Any]) -> None:
        self._told[key] = message
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it died; the next one is told everything
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()


class _Wards:
    """What the lifeline would end: processes, each known from when it was named, and one PostgreSQL cluster."""

    def __init__(self) -> None:
        self._children: dict[int, psutil.Process] = {}
        self._leaders: set[int] = set()
        self._cluster: Path | None = None

    def take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:  # cut short by the supervisor's death
            return
        match message:
            case {"postgres": {"cluster": str(cluster)}}:
                self._cluster = Path(cluster)
            case {"child": int(pid), "started": float(started), "leads": bool(leads)}:
                self._take_child(pid, started)
                if leads:
                    # It may have died since: what it leads has not.
                    self._leaders.add(pid)
            case {"forget": int(pid)}:
                self._children.pop(pid, None)
                self._leaders.discard(pid)

    def end_all(self) -> None:
        """End the children, politely for two seconds, and the database that they use after them."""
        server = postmaster.find_postmaster(self._cluster) if self._cluster else None
        self._signal_all(signal.SIGTERM)
        wait_gone(self._children.values(), patience_seconds=_DRAIN_SECONDS)
        self._signal_all(signal.SIGKILL)
        if server is not None:
            postmaster.shut_down(server)

    def _take_child(self, pid: int, started: float) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            process = psutil.Process(pid)
            if abs(process.create_time() - started) < _SAME_START_SECONDS:
                self._children[pid] = process

    def _signal_all(self, sign: signal.Signals) -> None:
        for pid in self._children.keys() | self._leaders:
            process = self._children.get(pid)
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if pid in self._leaders and ((process and process.is_running()) or not psutil.pid_exists(pid)):
                    os.killpg(pid, sign)  # a number that no process has any more is still this group's, or nobody's
                elif process:
                    process.send_signal(sign)


def _leads(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid) == pid
    return False


def _watch(lines: Iterable[bytes]) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    wards = _Wards()
    for line in lines:
        wards.take(line)
    wards.end_all()


if __name__ == "__main__":
    _watch(sys.stdin.buffer)
