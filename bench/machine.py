"""The machine that a figure was taken on, and what its other programs took of it meanwhile."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.local_stack import LocalStack


def machine() -> dict[str, Any]:
    """Describe this machine as far as figures depend on it."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        # Builds of one version differ by a sixth in speed.
        "interpreter": os.path.realpath(sys.executable),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


class Neighbours:
    """Watches from its making on what is neither the stack nor this process."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._before = self._used()

    def percent(self) -> float:
        """Give what others have taken of the machine since then, in percent of all cores."""
        busy, idle, ours = (now - then for now, then in zip(self._used(), self._before, strict=True))
        return round(max(0.0, busy - ours) / max(0.001, busy + idle) * 100, 1)

    def _used(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        idle = times.idle + times.iowait
        # Time of guests is counted within user and nice already.
        busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
        ours = sum(self._stack.cpu_seconds().values()) + sum(psutil.Process().cpu_times()[:2])
        return busy, idle, ours
