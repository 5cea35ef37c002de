"""Calls while something is away: what is asked, what every refusal has to look like, and waiting for recovery."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from tests.integration.ingress.conftest import Answer, Door

# Whatever is away, an answer is there after 2 s; a busy machine has a little longer.
ANSWERED_SECONDS = 3.5

Call = tuple[str, str, object]
READ: Call = ("GET", "/api/v1/promotions", None)
CREATE: Call = (
    "POST",
    "/api/v1/promotions",
    {"agent_id": "a", "source_deployment_id": "d", "target_environment": "staging"},
)
WRITE: Call = ("PUT", "/api/v1/environments", {"names": ["development", "staging", "production"]})
TELL: Call = (
    "POST",
    "/api/v1/events",
    [
        {
            "specversion": "1.0",
            "id": "1",
            "source": "/ci",
            "type": "studio.tests.completed.v1",
            "time": "2026-01-01T00:00:00Z",
            "data": {
                "organization_id": "acme",
                "deployment_id": "d",
                "suite": "s",
                "run_id": "r",
                "outcome": "success",
            },
        }
    ],
)


@dataclass
class Spell:
    """The answers to several calls at once, and how long the last one took."""

    answers: Sequence[Answer]
    seconds: float

    @property
    def told(self) -> set[tuple[int, str | None]]:
        return {(answer.status, answer.headers.get("Retry-After")) for answer in self.answers}


async def call(door: Door, *calls: Call) -> Spell:
    """Make all of ``calls`` at once."""
    began = time.monotonic()
    answers = await asyncio.gather(*(_one(door, each) for each in calls))
    return Spell(answers, time.monotonic() - began)


async def recovered(door: Door, wanted: Call, status: int) -> None:
    """Wait until a call is answered as in good times, with nobody doing anything about it."""
    async with asyncio.timeout(20):
        while (await _one(door, wanted)).status != status:
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process and its children as a hanging machine would: connections stay open, nothing answers."""
    root = psutil.Process(pid)
    processes = [root, *root.children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


async def _one(door: Door, wanted: Call) -> Answer:
    method, path, body = wanted
    headers = {"Content-Type": "application/cloudevents-batch+json"} if path.endswith("/events") else {}
    return await door.call(method, path, body, headers=headers)
