"""`python -m bench stored`: throughput and every GET with a million finished promotions, beside an empty database.

Three lives of one data folder: measured empty, filled while the services stand still, measured again.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.charts import Bar, bars
from bench.checks import check
from bench.client import Client
from bench.filling import fill
from bench.load import names
from bench.local_stack import LocalStack, local_stack
from bench.reading import read_everything
from bench.rounds import pipeline_round
from bench.telling import Result, parser, run, table, tell

WARM_UP = 500
# What services still have to do: it would be copied, and done again for every copy.
_LEFT_TO_DO = """SELECT -(SELECT count(*) FROM rules.unconfirmed) - (SELECT count(*) FROM rules.recheck)
    - (SELECT count(*) FROM executor.execution WHERE NOT taken)"""
# What is counted for statistics lags behind by two minutes at most, once it has caught up.
_COUNTED = """SELECT count(*) FROM promotion.counted AS c WHERE until > now() - interval '3 hours' AND NOT EXISTS (
    SELECT FROM promotion.promotion AS p WHERE p.organization_id = c.organization_id
    AND p.completed_at >= greatest(c.until, c.partly) AND p.completed_at < now() - interval '2 minutes')"""
# What the figures of record are held to.
MOST_MS, MOST_LOSS = 20.0, 0.25


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="promotion-bench-") as folder:
        result = _measure(Path(folder), options)
    kept = result["throughput_kept"]
    rates = {"nearly empty": result["before"], "filled": result["after"]}
    slow = [each for each in result["reads"] if each["p99"] > MOST_MS]
    tell(
        options,
        result,
        [
            table(f"rows, filled in {result['fill_seconds']:.0f} s", ("table", "rows"), list(result["rows"].items())),
            table(
                f"median of {options.rounds}; {kept:.0%} kept, {1 - MOST_LOSS:.0%} wanted",
                ("database", "promotions/s", "lowest", "highest"),
                [(name, statistics.median(seen), min(seen), max(seen)) for name, seen in rates.items()],
            ),
            table(
                f"{len(slow)} of {len(result['reads'])} reads have a p99 over {MOST_MS:g} ms; the slowest",
                ("GET", "p50 ms", "p95 ms", "p99 ms", "most"),
                [
                    (each["get"], *(each[rank] for rank in ("p50", "p95", "p99", "max")))
                    for each in result["reads"][:25]
                ],
            ),
        ],
        bars(
            "Promotions a second, before and after the database was filled",
            f"median of {options.rounds}; {options.kafka} broker; then {options.promotions:,} promotions stored",
            [Bar(name, statistics.median(seen), min(seen), max(seen)) for name, seen in rates.items()],
        ),
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("stored", __doc__)
    made.add_argument("--promotions", type=int, default=1_000_000, help="stored in the end (default 1000000)")
    made.add_argument("--each", type=int, default=10_000, help="promotions in a round (default 10000)")
    made.add_argument("--rounds", type=int, default=5, help="before and after, of which the median counts (default 5)")
    made.add_argument("--calls", type=int, default=400, help="of each GET (default 400: of 100, p99 is the slowest)")
    made.add_argument("--in-flight", type=int, default=2_000, help="asked for and not completed at most (default 2000)")
    return made.parse_args(arguments)


def _measure(folder: Path, options: argparse.Namespace) -> Result:
    with local_stack("--processes", kafka=options.kafka, folder=folder) as stack:
        before = run(_rounds(stack, options, life="before"))
        with stack.held():
            began = time.perf_counter()
            rows = run(fill(stack.ready["postgres"], options.promotions))
            fill_seconds = time.perf_counter() - began
    with local_stack("--processes", kafka=options.kafka, folder=folder) as stack:
        reads = run(_reads(stack, options))
        after = run(_rounds(stack, options, life="after"))
    kept = statistics.median(after["per_second"]) / statistics.median(before["per_second"])
    return {
        "stored": options.promotions,
        "each": options.each,
        "rounds": options.rounds,
        "kafka": options.kafka,
        "fill_seconds": round(fill_seconds, 1),
        "rows": rows,
        "before": before["per_second"],
        "after": after["per_second"],
        "throughput_kept": round(kept, 3),
        "foreign_percent": before["foreign_percent"] + after["foreign_percent"],
        "reads": reads["reads"],
        "checked": after["checked"],
    }


async def _reads(stack: LocalStack, options: argparse.Namespace) -> Result:
    async with Client(stack) as client:
        await client.until(_COUNTED, 1)
        return {"reads": await read_everything(client, calls=options.calls)}


async def _rounds(stack: LocalStack, options: argparse.Namespace, *, life: str) -> Result:
    done = []
    async with Client(stack) as client:
        await client.announce(warming := names(f"warm-{life}", WARM_UP))
        await pipeline_round(client, warming, label="warm", in_flight=WARM_UP)
        for number in range(options.rounds):
            await client.announce(wanted := names(f"{life}{number}", options.each))
            done.append(await pipeline_round(client, wanted, label=f"bench-{number}", in_flight=options.in_flight))
        # In the second life the chain that is walked here is the one that was made with the copies.
        checked = await check(client, [identifier for each in done for identifier in each.identifiers])
        await client.until(_LEFT_TO_DO, 0)
    return {
        "per_second": [round(each.per_second, 1) for each in done],
        "foreign_percent": [each.foreign_percent for each in done],
        "checked": checked,
    }
