"""The broker loses all its data while many promotions are under way, at every stage: how long until all are done."""

import asyncio
import os
import signal
import time
from pathlib import Path

from tests.chaos.evidence import Evidence
from tests.chaos.faults import Struck, calm, script
from tests.chaos.run import Ground, Options, Say
from tests.chaos.schedule import Door, Fault, Kind, Plan

_DONE_SECONDS = 180.0
_LOOK_SECONDS = 0.05
_WIPE = Fault(0, Kind.BROKER_KILL, "kafka", while_asking=True, after_seconds=0, seconds=0, seed=0)
_COMPLETED = "SELECT count(*) FROM promotion.promotion WHERE status = 'completed'"
_EXECUTING = "SELECT count(*) FROM promotion.promotion WHERE status_reason = 'executing'"
_UNDER_WAY = "SELECT count(*) FROM promotion.promotion WHERE status IN ('pending', 'approved')"


async def wipe(options: Options, folder: Path, say: Say) -> tuple[Evidence, int, float]:
    """Give what was read, how many promotions were under way at the wipe, and after how many seconds all were done.

    Half of them wait for their gateway's answer; the requests of the other half lie on the broker, unread.
    """
    plans = tuple(_plan(number) for number in range(options.promotions))
    executing, evaluating = plans[: len(plans) // 2], plans[len(plans) // 2 :]
    async with await asyncio.to_thread(Ground, folder, options) as ground:
        await script(ground.scene, "gw-staging", {"rules": [{"do": {"fault": "hang"}}]})
        await ground.load.carry_out(executing, asyncio.Event())
        await _until(ground, _EXECUTING, len(executing))
        await ground.load.announce(evaluating)
        rules = ground.scene.pid("rules")
        os.kill(rules, signal.SIGSTOP)
        await ground.load.ask(evaluating)
        await _until(ground, "SELECT (NOT EXISTS (SELECT FROM promotion.outbox))::int", 1)
        under_way = await ground.database.number(_UNDER_WAY)
        struck = Struck(_WIPE, time.time(), promotions=under_way, wiped=True)
        ground.stack.kill("kafka")
        os.kill(rules, signal.SIGCONT)
        await calm(ground.scene)
        say(f"the broker died with its data; {under_way} promotions are under way")
        await _until(ground, _COMPLETED, len(plans))
        struck.healed_at = time.time()
        _, left = await ground.until_rest(say)
        return await ground.read(plans, (struck,), left), under_way, struck.healed_at - struck.began_at


def _plan(number: int) -> Plan:
    return Plan(
        number=number,
        agent_id=f"agent-{number:05d}",
        source_gateway_id="gw-development",
        target_environment="staging",
        door=Door.HTTP,
        sent=1,
        decisions=(),
    )


async def _until(ground: Ground, query: str, wanted: int) -> None:
    async with asyncio.timeout(_DONE_SECONDS):
        while await ground.database.number(query) < wanted:
            await asyncio.sleep(_LOOK_SECONDS)
