"""Keeps members running: as tasks of this process, or each as a process of its own.

One that ends unasked is started again after a pause and that is said; nothing here knows what a member does.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import aiohttp

from services.platform.process import CannotListen
from services.platform.schema_state import SchemaOutdated
from studio.local.lifeline import Lifeline
from studio.local.members import Member, Runnable
from studio.local.processes import died
from studio.local.trouble import StartError

Say = Callable[[str], None]

DRAIN_SECONDS = 5.0
PAUSE_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
LONG_LIFE_SECONDS = 20.0
# A member that dies so often before it was ever ready is not going to be.
EARLY_DEATHS = 4
# Bad settings or an old schema: what a start with the same configuration cannot mend.
_UNUSABLE_STATUS = 2


class Host(Protocol):
    """Where members run."""

    changed: asyncio.Event

    async def start(self, members: Sequence[Member]) -> None:
        """Start `members` and keep them running."""

    async def stop(self) -> None:
        """Let every member drain, end what takes long, and return when none runs."""

    async def trouble(self) -> list[str]:
        """Say of each member that is not ready why; raise StartError for one that can never be."""

    def pids(self) -> dict[str, int]:
        """Give the process ids of members that are processes."""


class TaskHost:
    """Members as tasks of this process."""

    def __init__(self, say: Say) -> None:
        self.changed = asyncio.Event()
        self._say = say
        self._running: dict[str, _Task] = {}

    async def start(self, members: Sequence[Member]) -> None:
        """Start each as a task."""
        for member in members:
            self._running[member.name] = _Task(member, self._say)

    async def stop(self) -> None:
        """Stop all tasks at once."""
        await asyncio.gather(*(task.stop() for task in self._running.values()))

    async def trouble(self) -> list[str]:
        """Ask each member that is built."""
        return [line for name, task in self._running.items() for line in await _named(name, task.trouble())]

    def pids(self) -> dict[str, int]:
        """Give nothing: there are no processes."""
        return {}


class _Task:
    def __init__(self, member: Member, say: Say) -> None:
        self.member = member
        self._hope = _Hope()
        self._say = say
        self._stopping = asyncio.Event()
        self._runnable: Runnable | None = None
        self._unusable: Exception | None = None
        self._task = asyncio.create_task(self._keep(), name=member.name)

    async def trouble(self) -> list[str]:
        if self._unusable is not None:
            raise StartError(f"{self.member.name} cannot run: {self._unusable}")
        if self._runnable is None:
            return ["not running"]
        trouble = list((await self._runnable.readiness()).trouble)
        self._hope.saw(trouble)
        return trouble

    async def stop(self) -> None:
        self._stopping.set()
        done, _ = await asyncio.wait([self._task], timeout=DRAIN_SECONDS)
        if not done:
            self._say(f"{self.member.name} did not stop within {DRAIN_SECONDS:g} s and was cut off")
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)

    async def _keep(self) -> None:
        pauses = _Pauses(self._stopping)
        while not self._stopping.is_set():
            try:
                self._runnable = self.member.build()
            except Exception as error:  # noqa: BLE001 - building touches no network, so that it fails for good
                self._give_up(error)
                return
            try:
                await self._runnable.run(self._stopping)
            except (SchemaOutdated, CannotListen) as error:
                self._give_up(error)
                return
            except Exception as error:  # noqa: BLE001 - whatever a member dies of, the others go on
                reason = f"{type(error).__name__}: {error}"
                if self._hope.lost_by_death():
                    self._give_up(error)
                    return
            else:
                reason = "it returned"
            self._runnable = None
            if not self._stopping.is_set():
                self._say(f"{self.member.name} ended ({reason}); starting it again")
                await pauses.rest()

    def _give_up(self, error: Exception) -> None:
        self._unusable = error
        self._say(f"{self.member.name} cannot run: {type(error).__name__}: {error}")


class ProcessHost:
    """Members as processes; the lifeline ends them where this one is killed."""

    def __init__(self, say: Say, *, logs: Path, lifeline: Lifeline) -> None:
        self.changed = asyncio.Event()
        self._say = say
        self._logs = logs
        self._lifeline = lifeline
        self._running: dict[str, _Process] = {}

    async def start(self, members: Sequence[Member]) -> None:
        """Start each as a process."""
        for member in members:
            self._running[member.name] = self._process(member)

    async def stop(self) -> None:
        """Stop all processes at once."""
        await asyncio.gather(*(process.stop() for process in self._running.values()))

    async def trouble(self) -> list[str]:
        """Ask each process's own readiness."""
        timeout = aiohttp.ClientTimeout(total=2.0)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            return [
                line for name, process in self._running.items() for line in await _named(name, process.trouble(session))
            ]

    def pids(self) -> dict[str, int]:
        """Give the process id of each member that runs now."""
        return {name: process.pid for name, process in self._running.items()}

    def _process(self, member: Member) -> "_Process":
        log = self._logs / f"{member.name}.log"
        return _Process(member, self._say, log=log, lifeline=self._lifeline, changed=self.changed)


class _Process:
    def __init__(self, member: Member, say: Say, *, log: Path, lifeline: Lifeline, changed: asyncio.Event) -> None:
        self.member = member
        self._say = say
        self._log = log
        self._lifeline = lifeline
        self._changed = changed
        self._stopping = asyncio.Event()
        self._unusable = False
        self._hope = _Hope()
        self._popen = self._launch()
        self._task = asyncio.create_task(self._keep(), name=member.name)

    @property
    def pid(self) -> int:
        return self._popen.pid

    async def trouble(self, session: aiohttp.ClientSession) -> list[str]:
        if self._unusable:
            raise StartError(f"{self.member.name} cannot run. It says:\n{_tail(self._log)}")
        try:
            async with session.get(self.member.ready_url) as answer:
                trouble = [] if answer.status == 200 else [(await answer.text())[:300]]
        except (aiohttp.ClientError, TimeoutError) as error:
            trouble = [f"{self.member.ready_url}: {type(error).__name__}"]
        self._hope.saw(trouble)
        return trouble

    async def stop(self) -> None:
        self._stopping.set()
        self._popen.terminate()
        done, _ = await asyncio.wait([self._task], timeout=DRAIN_SECONDS)
        if not done:
            self._say(f"{self.member.name} did not stop within {DRAIN_SECONDS:g} s and was killed")
            self._popen.kill()
            await asyncio.wait([self._task])

    def _launch(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", self.member.module, *self.member.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_without_settings() | dict(self.member.environment),
                start_new_session=True,
            )
        self._lifeline.guard_process(process.pid)
        return process

    async def _keep(self) -> None:
        pauses = _Pauses(self._stopping)
        while True:
            status = await died(self._popen)
            self._lifeline.forget_process(self._popen.pid)
            if self._stopping.is_set():
                return
            self._unusable = status == _UNUSABLE_STATUS or self._hope.lost_by_death()
            self._say(f"{self.member.name} died ({_cause(status)}); starting it again. Its log: {self._log}")
            await pauses.rest()
            if self._stopping.is_set():
                return
            self._popen = self._launch()
            self._changed.set()


async def _named(name: str, trouble: Awaitable[list[str]]) -> list[str]:
    return [f"{name}: {line}" for line in await trouble]


class _Hope:
    """Whether a member may still come to work: not one that dies again and again before it ever did."""

    def __init__(self) -> None:
        self._was_ready = False
        self._deaths = 0

    def saw(self, trouble: Sequence[str]) -> None:
        """Take note of what keeps it from its work."""
        self._was_ready = self._was_ready or not trouble

    def lost_by_death(self) -> bool:
        """Count a death; tell whether it was one too many."""
        self._deaths += 1
        return not self._was_ready and self._deaths >= EARLY_DEATHS


class _Pauses:
    """How long to rest before each new start: longer after each early death, none remembered after a long life."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._deaths = 0
        self._born_at = asyncio.get_running_loop().time()

    async def rest(self) -> None:
        """Rest after a death, no longer than until `stopping` is set; a new life begins at the end."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._born_at >= LONG_LIFE_SECONDS:
            self._deaths = 0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), PAUSE_SECONDS[min(self._deaths, len(PAUSE_SECONDS) - 1)])
        self._deaths += 1
        self._born_at = loop.time()


def _cause(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip()


def _without_settings() -> dict[str, str]:
    """The environment without what configures services: a member is configured by the stack alone."""
    own = ("DATABASE_URL", "KAFKA_")
    return {name: value for name, value in os.environ.items() if not name.startswith((*own, "PROMOTION_"))}
