"""A PostgreSQL server seen from outside: which process serves a cluster, and how to end it cleanly.

A pid alone proves nothing, as pids are used again: a process belongs to a cluster if it works in that folder.
"""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from studio.local.processes import is_alive, wait_gone

_PID_FILE = "postmaster.pid"
_STATUS_LINE = 7
SHUTDOWN_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
"""Fast (ends sessions, writes a checkpoint), immediate (recovers at the next start), and no choice."""


@dataclass(frozen=True)
class PidFile:
    """What a server says of itself in its cluster folder."""

    pid: int
    ready: bool


def read_pid_file(cluster: Path) -> PidFile | None:
    """Return the content of postmaster.pid; None where it is missing or not yet written out."""
    try:
        lines = (cluster / _PID_FILE).read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    status = lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
    return PidFile(pid=abs(pid), ready=status == "ready")


def serves(process: psutil.Process, cluster: Path) -> bool:
    """Whether this very process is alive and is a PostgreSQL process of that cluster."""
    try:
        return is_alive(process) and process.name().startswith("postgres") and process.cwd() == os.fspath(cluster)
    except psutil.Error:
        return False


def find_postmaster(cluster: Path) -> psutil.Process | None:
    """Return the live server of `cluster`, whoever started it, also before it has written its pid file."""
    mine = {process.pid: process for process in psutil.process_iter() if serves(process, cluster)}
    for process in mine.values():
        try:
            if process.ppid() not in mine:
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def shut_down(process: psutil.Process, *, patience_seconds: float = 10.0) -> None:
    """End a server: fast shutdown first, immediate next, SIGKILL last. Returns when it is gone."""
    for sign in SHUTDOWN_SIGNALS:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
        if not wait_gone([process], patience_seconds=patience_seconds):
            return


def clear_leftovers(cluster: Path) -> None:
    """End what a killed stack left running on `cluster`, and remove its pid file.

    Without this PostgreSQL refuses to start where the old pid is now some other process, and where backends
    of a killed server still hold its shared memory. The caller must hold the folder's lock.
    """
    if not (cluster / _PID_FILE).exists():
        return
    postmaster = find_postmaster(cluster)
    if postmaster is not None:
        shut_down(postmaster)
    _outlast_backends(cluster)
    (cluster / _PID_FILE).unlink(missing_ok=True)


def _outlast_backends(cluster: Path, *, patience_seconds: float = 5.0) -> None:
    backends = [process for process in psutil.process_iter() if serves(process, cluster)]
    stuck = wait_gone(backends, patience_seconds=patience_seconds)
    for backend in stuck:
        with contextlib.suppress(psutil.NoSuchProcess):
            backend.kill()
    wait_gone(stuck, patience_seconds=patience_seconds)
