"""`python -m bench latency`: from the request sent to the promotion completed, at a fixed rate.

The rate does not wait for answers. The end is the moment that the service wrote into `completed_at`, within the last
transaction; its commit and the outbox come after.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from bench.arrivals import UNLIMITED, Asked, completions, percentiles, post
from bench.charts import Bar, bars
from bench.checks import check
from bench.client import Client
from bench.load import names, request
from bench.local_stack import LocalStack, local_stack
from bench.machine import Neighbours
from bench.rounds import until_completed
from bench.stages import stages
from bench.telling import Result, parser, run, table, tell

WARM_UP_SECONDS = 3


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with local_stack("--processes", kafka=options.kafka, environment=UNLIMITED) as stack:
        result = run(_measure(stack, options))
    title = (
        f"{options.rate:g} a second for {options.seconds:g} s through {options.through}, {options.kafka} broker; "
        f"others took {result['foreign_percent']} % of the machine"
    )
    told = {name: result[name] for name in ("completed_ms", "answered_ms") if result[name]}
    chart = bars(title, "ms", [Bar(f"{name}, {rank}", at, at, at) for name in told for rank, at in told[name].items()])
    tell(
        options,
        result,
        [
            table(
                title, ("ms since it was sent", "p50", "p95", "p99", "max"), [[n, *t.values()] for n, t in told.items()]
            ),
            table(
                "where the time goes",
                ("stage", "p50 ms", "p95 ms"),
                [tuple(each.values()) for each in result["stages"]],
            ),
            table("checked at the end", ("what", "found"), list(result["checked"].items())),
        ],
        chart,
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("latency", __doc__)
    made.add_argument("--rate", type=float, default=100.0, help="requests a second (default 100)")
    made.add_argument("--seconds", type=float, default=30.0, help="how long (default 30)")
    made.add_argument("--through", choices=("http", "kafka"), default="http", help="the door (default http)")
    return made.parse_args(arguments)


async def _measure(stack: LocalStack, options: argparse.Namespace) -> Result:
    ask = _post_at_rate if options.through == "http" else _publish_at_rate
    async with Client(stack) as client:
        await client.announce(warming := names("warm", int(options.rate * WARM_UP_SECONDS)))
        await client.announce(wanted := names("fixed", int(options.rate * options.seconds)))
        await _completed(client, await ask(client, warming, options.rate))
        before, neighbours = stack.cpu_seconds(), Neighbours(stack)
        asked = await ask(client, wanted, options.rate)
        ends = await _completed(client, asked)
        foreign_percent, after = neighbours.percent(), stack.cpu_seconds()
        identifiers = [each.identifier for each in asked if each.identifier is not None]
        checked = await check(client, identifiers)
        course = await stages(client, identifiers)
    return {
        "rate": options.rate,
        "seconds": options.seconds,
        "kafka": options.kafka,
        "through": options.through,
        "completed_ms": percentiles(
            [(ends[each.identifier] - each.sent_at) * 1000 for each in asked if each.identifier is not None]
        ),
        "answered_ms": percentiles([(each.answered_at - each.sent_at) * 1000 for each in asked])
        if options.through == "http"
        else None,
        "put_off": sum(each.put_off for each in asked),
        "cpu_percent": {name: round((after[name] - before[name]) / options.seconds * 100, 1) for name in before},
        "foreign_percent": foreign_percent,
        "stages": course,
        "checked": checked,
    }


async def _completed(client: Client, asked: Sequence[Asked]) -> dict[UUID, float]:
    identifiers = [each.identifier for each in asked if each.identifier is not None]
    await until_completed(client, identifiers)
    return await completions(client, identifiers)


async def _post_at_rate(client: Client, wanted: Sequence[str], rate: float) -> list[Asked]:
    async with client.session("requester", connections=0) as session, asyncio.TaskGroup() as sent:
        tasks = []
        began = time.perf_counter()
        for place, name in enumerate(wanted):
            await _moment(began + place / rate)
            tasks.append(sent.create_task(post(session, name)))
    return [task.result() for task in tasks]


async def _publish_at_rate(client: Client, wanted: Sequence[str], rate: float) -> list[Asked]:
    # A producer of its own for each record would be another load; what has come due meanwhile goes together.
    asked: list[Asked] = []
    began = time.perf_counter()
    while len(asked) < len(wanted):
        await _moment(began + len(asked) / rate)
        due = min(len(wanted), int((time.perf_counter() - began) * rate) + 1)
        requests = [(name, time.time(), request(name, label="fixed")) for name in wanted[len(asked) : due]]
        await client.publisher.publish([record for _, _, (_, record) in requests])
        asked += [Asked(name, sent_at, identifier=identifier) for name, sent_at, (identifier, _) in requests]
    return asked


async def _moment(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.perf_counter()))
