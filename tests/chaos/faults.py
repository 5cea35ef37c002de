"""The faults: how each is done to the running stack, and how it is healed. Each says what it met."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import psutil

from schemas.cloudevents import EncodedRecord
from schemas.topics import CONSUMED_BY
from tests.chaos.database import Database
from tests.chaos.load import Load
from tests.chaos.schedule import Fault, Kind
from tests.chaos.witness import Witness
from tests.end_to_end.stack import RunningStack
from tests.integration.poison.kinds import KINDS

_REPLACED_SECONDS = 60.0
_AIM_SECONDS = 4.0
_LOOK_SECONDS = 0.05
_LEASED = "SELECT count(*) FROM executor.execution WHERE leased"
_UNDER_WAY = (
    "SELECT count(*) FROM promotion.promotion WHERE status IN ('pending', 'approved') "
    "AND status_reason <> 'awaiting_approval'"
)
_OTHERS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'chaos'"
_CONSUMED = sorted({topic for topics in CONSUMED_BY.values() for topic in topics})
# Gateways take a moment even in good times, so that there is something under way to hit.
_CALM: Mapping[str, Any] = {"rules": [{"match": {"method": "PUT"}, "do": {"fault": "slow", "delay_ms": 200}}]}


@dataclass(slots=True)
class Struck:
    """A fault that was done: when, until when, and how much was under way in what it hit."""

    fault: Fault
    began_at: float
    healed_at: float = 0.0
    executions: int = 0
    promotions: int = 0
    poison: list[EncodedRecord] = field(default_factory=list)
    wiped: bool = False


@dataclass(frozen=True)
class Scene:
    """What faults are done to, and what they need for it."""

    stack: RunningStack
    database: Database
    witness: Witness
    load: Load
    embedded: bool

    def pid(self, name: str) -> int:
        return int(self.stack.ready["processes"][name])


Act = Callable[[Scene, Fault, Struck], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def under(scene: Scene, fault: Fault) -> AsyncIterator[Struck]:
    """Do ``fault`` for as long as the block runs, then heal it."""
    struck = Struck(fault, time.time())
    async with _ACTS[fault.kind](scene, fault, struck):
        yield struck
    struck.healed_at = time.time()


async def calm(scene: Scene) -> None:
    """Have every gateway behave."""
    for gateway in scene.stack.ready["gateways"]:
        await script(scene, gateway["id"], _CALM)


@asynccontextmanager
async def _kill(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    if fault.target == "executor":
        await _aim(scene, _LEASED)
    pid = scene.stack.kill(fault.target)
    struck.promotions = await scene.database.number(_UNDER_WAY)
    if fault.target == "executor":
        # Nobody else gives its leases back, so that these are what it died of in the middle.
        struck.executions = await scene.database.number(_LEASED)
    yield
    await _replaced(scene, fault.target, pid)


@asynccontextmanager
async def _restart(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    pid = scene.pid(fault.target)
    os.kill(pid, signal.SIGTERM)
    yield
    await _replaced(scene, fault.target, pid)


@asynccontextmanager
async def _pause(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    if fault.target == "executor":
        await _aim(scene, _LEASED)
    with _stopped([psutil.Process(scene.pid(fault.target))]):
        if fault.target == "executor":
            struck.executions = await scene.database.number(_LEASED)
        yield


@asynccontextmanager
async def _twin(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    """Run a second worker beside the one that there is, and kill it in the midst of its work."""
    environment = psutil.Process(scene.pid(fault.target)).environ()
    environment.pop("PROMOTION_HEALTH_PORT", None)
    environment["PROMOTION_INSTANCE"] = f"twin-{fault.number}"
    log = scene.stack.data_folder / "logs" / f"{fault.target}-twin.log"
    with log.open("ab") as output:
        twin = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"services.{fault.target}", env=environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        twin.kill()
        await twin.wait()


@asynccontextmanager
async def _broker_kill(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    nodes = sorted(name for name in scene.stack.ready["processes"] if name.startswith("kafka"))
    node = Random(fault.seed).choice(nodes)
    struck.wiped = scene.embedded
    struck.promotions = await _aim(scene, _UNDER_WAY)
    pid = scene.stack.kill(node)
    yield
    await _replaced(scene, node, pid)


@asynccontextmanager
async def _broker_pause(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    with _stopped([psutil.Process(scene.pid("kafka"))]):
        yield


@asynccontextmanager
async def _postgres_kill(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    struck.promotions = await _aim(scene, _UNDER_WAY)
    pid = scene.stack.kill("postgres")
    yield
    await _replaced(scene, "postgres", pid)
    await scene.database.rows("SELECT 1")


@asynccontextmanager
async def _postgres_pause(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    server = psutil.Process(scene.pid("postgres"))
    with _stopped([server, *server.children()]):
        yield


@asynccontextmanager
async def _backend_kill(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    """Kill one backend: the server takes its shared memory for spoilt and recovers as after a crash."""
    struck.promotions = await _aim(scene, _UNDER_WAY)
    backends = await scene.database.rows(f"SELECT pid {_OTHERS}")
    with contextlib.suppress(ProcessLookupError):
        os.kill(Random(fault.seed).choice(backends)["pid"], signal.SIGKILL)
    yield
    await scene.database.rows("SELECT 1")


@asynccontextmanager
async def _connections_cut(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    struck.promotions = await scene.database.number(_UNDER_WAY)
    await scene.database.rows(f"SELECT pg_terminate_backend(pid) {_OTHERS}")
    yield
    await scene.database.rows(f"SELECT pg_terminate_backend(pid) {_OTHERS}")


@asynccontextmanager
async def _gateway_kill(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    pid = scene.stack.kill(fault.target)
    yield
    await _replaced(scene, fault.target, pid)
    await script(scene, fault.target, _CALM)


def _scripted(*rules: Mapping[str, Any]) -> Act:
    @asynccontextmanager
    async def act(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
        await script(scene, fault.target, {"seed": fault.seed, "rules": list(rules)})
        yield
        await script(scene, fault.target, _CALM)

    return act


@asynccontextmanager
async def _repeated(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    """Publish what was published before once more, in any order, whosever it is."""
    random = Random(fault.seed)
    await _spoken(scene)
    known = [seen.record for seen in scene.witness.seen[-4000:] if seen.record.topic in _CONSUMED]
    good = [record for record in known if record.key is not None and not record.key.startswith(b"poison")]
    await scene.load.publish(random.sample(good, min(len(good), 300)))
    yield


@asynccontextmanager
async def _poison(scene: Scene, fault: Fault, struck: Struck) -> AsyncIterator[None]:
    random = Random(fault.seed)
    await _spoken(scene)
    for topic in _CONSUMED:
        good = next((seen.record for seen in reversed(scene.witness.seen) if seen.record.topic == topic), None)
        for name, kind in random.sample(sorted(KINDS.items()), 4):
            if good is not None and kind.reason is not None:
                made = kind.make(good)
                key = f"poison-{fault.number}-{name}".encode()
                struck.poison.append(EncodedRecord(made.topic, key, made.headers, made.value))
    await scene.load.publish(struck.poison)
    yield


_PUT = {"method": "PUT"}
_ACTS: Mapping[Kind, Act] = {
    Kind.KILL: _kill,
    Kind.PAUSE: _pause,
    Kind.RESTART: _restart,
    Kind.TWIN: _twin,
    Kind.BROKER_KILL: _broker_kill,
    Kind.BROKER_PAUSE: _broker_pause,
    Kind.POSTGRES_KILL: _postgres_kill,
    Kind.POSTGRES_PAUSE: _postgres_pause,
    Kind.BACKEND_KILL: _backend_kill,
    Kind.CONNECTIONS_CUT: _connections_cut,
    Kind.GATEWAY_KILL: _gateway_kill,
    Kind.GATEWAY_HANGS: _scripted({"do": {"fault": "hang"}}),
    Kind.GATEWAY_LIES: _scripted(
        {"match": {**_PUT, "probability": 0.15}, "do": {"fault": "success_then_timeout"}},
        {"match": {**_PUT, "probability": 0.15}, "do": {"fault": "reset", "when": "after_effect"}},
        {"match": {**_PUT, "probability": 0.15}, "do": {"fault": "status", "status": 500, "when": "after_effect"}},
        {"match": {**_PUT, "probability": 0.15}, "do": {"fault": "late_success", "delay_ms": 1500}},
        {"match": {**_PUT, "probability": 0.15}, "do": {"fault": "garbage"}},
        {"match": {**_PUT, "probability": 0.15}, "do": {"fault": "wrong_id"}},
        {"match": {"probability": 0.1}, "do": {"fault": "cut"}},
        {"match": {"probability": 0.1}, "do": {"fault": "duplicate_answer"}},
    ),
    Kind.GATEWAY_FAILS: _scripted(
        {"match": {"probability": 0.3}, "do": {"fault": "status", "status": 500}},
        {"match": {"probability": 0.3}, "do": {"fault": "status", "status": 429, "retry_after_seconds": 1}},
        {"match": {"probability": 0.3}, "do": {"fault": "reset"}},
        {"match": {"probability": 0.2}, "do": {"fault": "redirect"}},
    ),
    Kind.GATEWAY_REFUSES: _scripted(
        {"match": {**_PUT, "probability": 0.5}, "do": {"fault": "status", "status": 422}},
        {"match": {**_PUT, "probability": 0.3}, "do": {"fault": "status", "status": 422, "when": "after_effect"}},
    ),
    Kind.REPEATED: _repeated,
    Kind.POISON: _poison,
}


async def _aim(scene: Scene, count: str) -> int:
    """Wait for a moment in which there is something to hit, as long as one may come; give how much."""
    deadline = time.monotonic() + _AIM_SECONDS
    while not (met := await scene.database.number(count)) and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
    return met


async def _spoken(scene: Scene) -> None:
    """Wait until there is something on the topics to repeat and to spoil, as long as that may take."""
    deadline = time.monotonic() + _AIM_SECONDS
    while not any(seen.record.topic in _CONSUMED for seen in scene.witness.seen) and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)


async def _replaced(scene: Scene, name: str, pid: int) -> None:
    async with asyncio.timeout(_REPLACED_SECONDS):
        while scene.pid(name) == pid:
            await asyncio.sleep(_LOOK_SECONDS)


@contextlib.contextmanager
def _stopped(processes: Sequence[psutil.Process]) -> Any:
    _each(processes, psutil.Process.suspend)
    try:
        yield
    finally:
        _each(processes, psutil.Process.resume)


def _each(processes: Iterable[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            act(process)


async def script(scene: Scene, gateway_id: str, faults: Mapping[str, Any]) -> None:
    """Have a gateway commit ``faults``, as its documentation spells them."""
    url = next(gateway["url"] for gateway in scene.stack.ready["gateways"] if gateway["id"] == gateway_id)
    deadline = time.monotonic() + _REPLACED_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        while True:
            try:
                async with session.put(f"{url}/faults", json=faults) as answer:
                    answer.raise_for_status()
                    return
            except (aiohttp.ClientConnectionError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_LOOK_SECONDS)
