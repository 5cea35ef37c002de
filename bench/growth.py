"""`python -m bench growth`: throughput by workers of each service, and by partitions, on Apache Kafka."""

import argparse
import statistics
from typing import Any

from bench.charts import Bar, bars
from bench.checks import check
from bench.client import Client
from bench.load import names
from bench.local_stack import LocalStack, local_stack
from bench.rounds import Round, pipeline_round
from bench.telling import Result, parser, run, table, tell
from bench.workers import multiply

WARM_UP = 500


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    settings = [(workers, options.partitions[-1]) for workers in options.workers]
    settings += [(1, partitions) for partitions in options.partitions if (1, partitions) not in settings]
    measured = [_setting(options, workers=workers, partitions=partitions) for workers, partitions in settings]
    title = f"{options.rounds} × {options.promotions:,} promotions by workers of each service and partitions"
    columns = ("workers", "partitions", "promotions/s", "lowest", "highest", "p50 ms", "CPU ms each", "others %")
    tell(
        options,
        {"promotions": options.promotions, "rounds": options.rounds, "kafka": options.kafka, "settings": measured},
        [table(f"{title}, {options.kafka} broker", columns, [_row(each) for each in measured])],
        bars(title, "promotions a second", [_bar(each) for each in measured]),
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("growth", __doc__, kafka="apache")
    made.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="of each service (default 1 2 4)")
    made.add_argument("--partitions", type=int, nargs="+", default=[1, 2, 4, 8, 12], help="default 1 2 4 8 12")
    made.add_argument("--promotions", type=int, default=20_000, help="in each round (default 20000)")
    made.add_argument("--rounds", type=int, default=3, help="of which the median counts (default 3)")
    made.add_argument("--in-flight", type=int, default=2_000, help="asked for and not completed at most (default 2000)")
    options = made.parse_args(arguments)
    if options.kafka == "embedded" and max(options.workers) > 1:
        made.error("the embedded broker shares no topic among workers: --kafka apache, or --workers 1")
    return options


def _setting(options: argparse.Namespace, *, workers: int, partitions: int) -> Result:
    environment = {"PROMOTION_KAFKA_PARTITIONS": str(partitions)}
    with local_stack("--processes", kafka=options.kafka, environment=environment) as stack:
        multiply(stack, workers)
        return {"workers": workers, "partitions": partitions} | run(_measure(stack, options))


async def _measure(stack: LocalStack, options: argparse.Namespace) -> Result:
    rounds: list[Round] = []
    async with Client(stack) as client:
        await client.announce(warming := names("warm", WARM_UP))
        await pipeline_round(client, warming, label="warm", in_flight=WARM_UP)
        for number in range(options.rounds):
            await client.announce(wanted := names(f"r{number}", options.promotions))
            rounds.append(await pipeline_round(client, wanted, label=f"bench-{number}", in_flight=options.in_flight))
        checked = await check(client, [identifier for each in rounds for identifier in each.identifiers])
    return {
        "per_second": round(statistics.median(each.per_second for each in rounds), 1),
        "per_second_by_round": [round(each.per_second, 1) for each in rounds],
        "p50_ms": round(statistics.median(each.latency_ms["p50"] for each in rounds), 1),
        "cpu_ms_each": round(statistics.median(sum(each.cpu_ms_each.values()) for each in rounds), 3),
        "foreign_percent": round(statistics.median(each.foreign_percent for each in rounds), 1),
        "checked": checked,
    }


def _row(each: Result) -> list[Any]:
    rates = each["per_second_by_round"]
    return [
        *(str(each["workers"]), each["partitions"], each["per_second"], min(rates), max(rates)),
        *(each["p50_ms"], each["cpu_ms_each"], each["foreign_percent"]),
    ]


def _bar(each: Result) -> Bar:
    rates = each["per_second_by_round"]
    label = f"{each['workers']} × each service, {each['partitions']} partitions"
    return Bar(label, each["per_second"], min(rates), max(rates))
