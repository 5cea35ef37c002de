"""One run: the stack, the load, the faults one after another, the healing, and what is judged at the end."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import KafkaException

from tests.chaos import evidence
from tests.chaos.database import Database
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Scene, Struck, calm, under
from tests.chaos.load import ORGANIZATION, Load
from tests.chaos.people import People
from tests.chaos.schedule import Part, Plan, schedule
from tests.chaos.witness import Witness, waiting
from tests.end_to_end.stack import RunningStack

Say = Callable[[str], None]

# How long everything may take to come to rest after the last fault before what has not is called stuck.
REST_SECONDS = 120.0
_LOOK_SECONDS = 0.1
# Shorter than by default, so that what hangs when the faults end is soon asked again.
_ENVIRONMENT = {"PROMOTION_GATEWAY_TIMEOUT_SECONDS": "4"}


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    promotions: int
    faults: int
    seed: int
    kafka: str = "embedded"
    brokers: int = 1
    # After so long no further fault begins; what has happened by then is judged.
    minutes: float = float("inf")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run left behind."""

    evidence: Evidence
    began_at: float
    healed_at: float
    rest_seconds: float
    resent: int
    # What each process holds of memory before the load, and at rest after it; a process may be another one by then.
    mebibytes: Mapping[str, tuple[int, int]]


class Ground:
    """A running stack with the witness, the people and the load that belong to it."""

    def __init__(self, folder: Path, options: Options) -> None:
        self.stack = RunningStack(
            folder,
            *("--processes", "--kafka", options.kafka, "--brokers", str(options.brokers)),
            environment=_ENVIRONMENT,
        )
        ready = self.stack.ready
        self.embedded = options.kafka == "embedded"
        self.bootstrap_file = self.stack.data_folder / "kafka.bootstrap"
        self.witness = Witness(self.bootstrap_file)
        self.database = Database(lambda: str(self.stack.ready["postgres"]))
        self.people = People(ready["api"], ready["tokens"])
        self.load = Load(self.people, self.database, self.bootstrap, seed=options.seed)
        self.scene = Scene(self.stack, self.database, self.witness, self.load, self.embedded)

    async def __aenter__(self) -> "Ground":
        self.witness.start()
        await self.people.__aenter__()
        try:
            await self._prepare()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.people.__aexit__(*error)
        await self.load.close()
        await self.database.close()
        self.witness.stop()
        await asyncio.to_thread(self.stack.stop)

    def bootstrap(self) -> str:
        """Give the broker's address as it is now."""
        return self.bootstrap_file.read_text(encoding="ascii").strip()

    def mebibytes(self) -> dict[str, int]:
        """Give how much memory each process of the stack holds."""
        return {name: resident_mebibytes(pid) for name, pid in self.stack.ready["processes"].items()}

    async def left(self) -> dict[str, int]:
        """Count what is still to be done, in the database and before the consumers."""
        counted = await evidence.left(self.database)
        try:
            counted |= await asyncio.to_thread(waiting, self.bootstrap())
        except KafkaException:
            counted["the broker does not answer"] = 1
        return counted

    async def until_rest(self, say: Say) -> tuple[float, dict[str, int]]:
        """Wait until nothing is left to do, and until everybody knows; give when nothing was, and what still is."""
        began = told = time.monotonic()
        at_rest: float | None = None
        while any((left := await self.left()).values()) and time.monotonic() < began + REST_SECONDS:
            doing = [f"{count} × {name}" for name, count in left.items() if count and name not in evidence.NOTED_LATER]
            at_rest = (at_rest or time.time()) if not doing else None
            if doing and time.monotonic() - told > 10:
                told = time.monotonic()
                say(f"not yet at rest: {', '.join(doing)}")
            await asyncio.sleep(_LOOK_SECONDS)
        return at_rest or time.time(), left

    async def read(self, plans: tuple[Plan, ...], struck: tuple[Struck, ...], left: dict[str, int]) -> Evidence:
        """Read everything that is judged."""
        await asyncio.sleep(0.5)  # what is on the topics by now, the witness reads within this
        tables = await evidence.tables(self.database)
        return Evidence(
            plans=plans,
            asked=self.load.promotions,
            given_up=self.load.given_up,
            told=self.people.told,
            struck=struck,
            promotions={row["id"]: row for row in tables["promotions"]},
            history=evidence.steps(tables["history"]),
            votes=tables["votes"],
            executions={row["promotion_id"]: row for row in tables["executions"]},
            orphans=tables["orphans"],
            deployments=tables["deployments"],
            letters=tables["letters"],
            seen=list(self.witness.seen),
            gateways=evidence.logs(self.stack.ready),
            left=left,
            broken_link=await evidence.broken_link(self.stack.ready["postgres"], ORGANIZATION),
        )

    async def _prepare(self) -> None:
        rule = {
            "name": "two people before production",
            "source_environment": "staging",
            "target_environment": "production",
            "requires_approval": True,
            "required_approvers": 2,
        }
        await self.people.call("admin", "/promotions/rules", rule, plan=-1, command="announce")
        # Nothing is deployed there: it only shows a second deployment of an agent.
        second = {"gateway_id": "gw-development-2", "environment": "development", "url": "http://127.0.0.1:9"}
        await self.people.call("admin", "/gateways", second, plan=-1, command="announce")
        await calm(self.scene)


async def run(options: Options, folder: Path, say: Say) -> Ran:
    """Carry out the schedule of ``options`` on a stack in ``folder``."""
    parts = schedule(
        promotions=options.promotions,
        faults=options.faults,
        seed=options.seed,
        groups=options.kafka == "apache",
    )
    async with await asyncio.to_thread(Ground, folder, options) as ground:
        say("the stack is up")
        began, before = time.time(), ground.mebibytes()
        done: list[Part] = []
        struck: list[Struck] = []
        for part in parts:
            if done and time.time() - began > options.minutes * 60:
                say(f"{len(parts) - len(done)} of {len(parts)} faults are left out: the time is over")
                break
            struck.append(await _part(ground, part, say))
            done.append(part)
        at_rest, left = await ground.until_rest(say)
        healed_at = struck[-1].healed_at
        plans = tuple(plan for part in done for plan in part.plans)
        return Ran(
            evidence=await ground.read(plans, tuple(struck), left),
            healed_at=healed_at,
            rest_seconds=at_rest - healed_at,
            began_at=began,
            resent=ground.load.resent,
            mebibytes={name: (before.get(name, 0), held) for name, held in ground.mebibytes().items()},
        )


def resident_mebibytes(pid: int) -> int:
    """Give what a process holds of memory, 0 where there is none."""
    try:
        return int(psutil.Process(pid).memory_info().rss // 2**20)
    except psutil.NoSuchProcess:
        return 0


async def _part(ground: Ground, part: Part, say: Say) -> Struck:
    fault = part.fault
    asking = asyncio.Event()
    load = asyncio.create_task(ground.load.carry_out(part.plans, asking))
    if fault.while_asking:
        await asking.wait()
    await asyncio.sleep(fault.after_seconds)
    async with under(ground.scene, fault) as struck:
        await asyncio.sleep(fault.seconds)
    met = f", {struck.executions} executions in the middle" if struck.executions else ""
    say(f"{fault.number + 1:4d}  {fault.kind}, {fault.target}: healed after {time.time() - struck.began_at:.1f} s{met}")
    await load
    return struck
