"""From request to completed: the whole local stack beside the same work by hand, everything checked at the end.

Each round takes promotions of its own through the stack, then through both floors, which have the machine to
themselves meanwhile: what stands between the stack and a floor is what queues, events and safety cost.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from bench.charts import Bar, bars
from bench.checks import check
from bench.client import Client
from bench.floor import Floor
from bench.load import names
from bench.local_stack import LocalStack, local_stack
from bench.rounds import Round, pipeline_round
from bench.telling import Result, costs, parser, run, table, tell

# Until caches are warm and statements are prepared.
WARM_UP = 500
PIPELINE, SINGLY, BATCHED = "the pipeline", "floor, one by one", "floor, in batches"


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    layout = [] if options.one_process else ["--processes"]
    with local_stack(*layout, kafka=options.kafka) as stack:
        result = run(_measure(stack, options))
    tell(options, result, _tables(result), _chart(result))


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("pipeline", __doc__)
    made.add_argument("--promotions", type=int, default=20_000, help="in each round (default 20000)")
    made.add_argument("--rounds", type=int, default=3, help="of which the median counts (default 3)")
    made.add_argument("--in-flight", type=int, default=2_000, help="asked for and not completed at most (default 2000)")
    made.add_argument("--one-process", action="store_true", help="all services as tasks of one process")
    made.add_argument("--no-floor", action="store_true", help="only the pipeline")
    return made.parse_args(arguments)


async def _measure(stack: LocalStack, options: argparse.Namespace) -> Result:
    rounds: list[Round] = []
    measured = (PIPELINE,) if options.no_floor else (PIPELINE, SINGLY, BATCHED)
    rates: dict[str, list[float]] = {name: [] for name in measured}
    async with Client(stack) as client, Floor(stack) as floor:
        await client.announce(warming := names("warm", WARM_UP))
        await pipeline_round(client, warming, label="warm", in_flight=WARM_UP)
        for number in range(options.rounds):
            await client.announce(wanted := names(f"r{number}", options.promotions))
            rounds.append(await pipeline_round(client, wanted, label=f"bench-{number}", in_flight=options.in_flight))
            rates[PIPELINE].append(rounds[-1].per_second)
            if not options.no_floor:
                with stack.held():
                    rates[SINGLY].append(await floor.one_by_one(wanted, label=f"floor-{number}"))
                    rates[BATCHED].append(await floor.in_batches(wanted, label=f"batched-{number}"))
        checked = await check(client, [identifier for each in rounds for identifier in each.identifiers])
    return _result(stack, options, rounds, rates) | {"checked": checked}


def _result(
    stack: LocalStack, options: argparse.Namespace, rounds: Sequence[Round], rates: dict[str, list[float]]
) -> Result:
    medians = {name: statistics.median(each) for name, each in rates.items()}
    # Each round has its own ratio: what the machine did meanwhile it did to both sides.
    ratios = {
        name: statistics.median(ours / theirs for ours, theirs in zip(rates[PIPELINE], rates[name], strict=True))
        for name in rates
        if name != PIPELINE
    }
    return {
        "promotions": options.promotions,
        "rounds": options.rounds,
        "kafka": options.kafka,
        "layout": "one process" if options.one_process else "processes",
        "in_flight": options.in_flight,
        "per_second": {name: round(value, 1) for name, value in medians.items()},
        "per_second_by_round": {name: [round(value, 1) for value in each] for name, each in rates.items()},
        "ratio_to_floor": {name: round(value, 3) for name, value in ratios.items()},
        "latency_ms": _medians([each.latency_ms for each in rounds], digits=1),
        "cpu_ms_each": _medians([each.cpu_ms_each for each in rounds], digits=3),
        "written_each": _medians([each.written_each for each in rounds], digits=3),
        "peak_memory_mb": {name: round(value, 1) for name, value in stack.peak_memory_mb().items()},
        "postgres_memory_mb": round(stack.memory_mb()["postgres"], 1),
        "foreign_percent": [each.foreign_percent for each in rounds],
    }


def _medians(rounds: Sequence[dict[str, float]], *, digits: int) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in rounds), digits) for name in rounds[0]}


def _tables(result: Result) -> list[Table]:
    title = f"{result['rounds']} × {result['promotions']:,} promotions, {result['layout']}, {result['kafka']} broker"
    speed: list[list[Any]] = [
        [name, rate, *(min(result["per_second_by_round"][name]), max(result["per_second_by_round"][name])),
         result["ratio_to_floor"].get(name, "")]
        for name, rate in result["per_second"].items()
    ]  # fmt: skip
    memory = result["peak_memory_mb"] | {"postgres": result["postgres_memory_mb"]}
    return [
        table(title, ("median", "promotions/s", "lowest", "highest", "pipeline ÷ floor"), speed),
        table(
            "from request to completed, ms, and what PostgreSQL wrote for each",
            (*result["latency_ms"], "KB of its log", "commits"),
            [[*result["latency_ms"].values(), *result["written_each"].values()]],
        ),
        table(
            f"by process; others took {result['foreign_percent']} % of the machine",
            ("process", "CPU ms per promotion", "most memory, MB"),
            [[name, cost, memory.get(name, "")] for name, cost in costs(result["cpu_ms_each"])],
        ),
        table("checked at the end", ("what", "found"), list(result["checked"].items())),
    ]


def _chart(result: Result) -> str:
    rates = result["per_second_by_round"]
    drawn = [Bar(name, result["per_second"][name], min(rates[name]), max(rates[name])) for name in rates]
    return bars("Promotions a second, end to end", f"median of {result['rounds']}; {result['kafka']} broker", drawn)
