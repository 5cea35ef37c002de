"""`python -m bench http`: how many promotions a second go end to end when each is asked for by a POST of its own.

Keeps so many connections busy, and no more than so many promotions under way.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence

import aiohttp

from bench.arrivals import UNLIMITED, Asked, completions, percentiles, post
from bench.charts import Bar, bars
from bench.checks import check
from bench.client import Client
from bench.load import names
from bench.local_stack import LocalStack, local_stack
from bench.machine import Neighbours
from bench.rounds import until_completed
from bench.telling import Result, costs, parser, run, table, tell

WARM_UP = 500
# So many are asked for before the first of them is looked at.
LOOKED_AT_TOGETHER = 200


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with local_stack("--processes", kafka=options.kafka, environment=UNLIMITED) as stack:
        result = run(_measure(stack, options))
    title = (
        f"{options.promotions:,} promotions by single POSTs over {options.connections} connections, "
        f"{options.kafka} broker; others took {result['foreign_percent']} % of the machine"
    )
    rate = result["per_second"]
    tell(
        options,
        result,
        [
            table(title, ("promotions/s end to end", "POSTs/s", "put off"),
                  [[rate, result["posts_per_second"], result["put_off"]]]),
            table("ms since it was sent", ("", "p50", "p95", "p99", "max"),
                  [[name, *result[name].values()] for name in ("completed_ms", "answered_ms")]),
            table("CPU ms per promotion", ("process", "ms"),
                  costs(result["cpu_ms_each"])),
            table("checked at the end", ("what", "found"), list(result["checked"].items())),
        ],
        bars(title, "promotions a second", [Bar("through HTTP", rate, rate, rate)]),
    )  # fmt: skip


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("http", __doc__)
    made.add_argument("--promotions", type=int, default=20_000, help="default 20000")
    made.add_argument("--connections", type=int, default=64, help="kept busy (default 64)")
    made.add_argument("--in-flight", type=int, default=2_000, help="asked for and not completed at most (default 2000)")
    return made.parse_args(arguments)


async def _measure(stack: LocalStack, options: argparse.Namespace) -> Result:
    async with Client(stack) as client:
        await client.announce(warming := names("warm", WARM_UP))
        await client.announce(wanted := names("posted", options.promotions))
        await _post_all(client, warming, options)
        before, neighbours = stack.cpu_seconds(), Neighbours(stack)
        asked = await _post_all(client, wanted, options)
        foreign_percent, after = neighbours.percent(), stack.cpu_seconds()
        identifiers = [each.identifier for each in asked if each.identifier is not None]
        ends = await completions(client, identifiers)
        checked = await check(client, identifiers)
    first_sent, last_answered = min(each.sent_at for each in asked), max(each.answered_at for each in asked)
    return {
        "promotions": len(asked),
        "connections": options.connections,
        "kafka": options.kafka,
        "per_second": round(len(asked) / (max(ends.values()) - first_sent), 1),
        "posts_per_second": round(len(asked) / (last_answered - first_sent), 1),
        "completed_ms": percentiles(
            [(ends[each.identifier] - each.sent_at) * 1000 for each in asked if each.identifier is not None]
        ),
        "answered_ms": percentiles([(each.answered_at - each.sent_at) * 1000 for each in asked]),
        "put_off": sum(each.put_off for each in asked),
        "cpu_ms_each": {name: round((after[name] - before[name]) * 1000 / len(asked), 3) for name in before},
        "foreign_percent": foreign_percent,
        "checked": checked,
    }


async def _post_all(client: Client, wanted: Sequence[str], options: argparse.Namespace) -> list[Asked]:
    asked: list[Asked] = []
    left = iter(wanted)
    room = asyncio.Semaphore(options.in_flight)
    async with client.session("requester", connections=options.connections) as session, asyncio.TaskGroup() as tasks:
        tasks.create_task(_give_back_room(client, asked, room, len(wanted)))
        for _ in range(options.connections):
            tasks.create_task(_keep_posting(session, left, asked, room))
    return asked


async def _keep_posting(
    session: aiohttp.ClientSession, left: Iterator[str], asked: list[Asked], room: asyncio.Semaphore
) -> None:
    for name in left:
        await room.acquire()
        asked.append(await post(session, name))


async def _give_back_room(client: Client, asked: list[Asked], room: asyncio.Semaphore, wanted: int) -> None:
    """Wait for the oldest ones, a few at a time, until all are completed."""
    done = 0
    while done < wanted:
        oldest = [each.identifier for each in asked[done : done + LOOKED_AT_TOGETHER] if each.identifier is not None]
        if len(oldest) < min(LOOKED_AT_TOGETHER, wanted - done):
            await asyncio.sleep(0.01)
            continue
        await until_completed(client, oldest)
        done += len(oldest)
        for _ in oldest:
            room.release()
