"""`python -m bench soak`: the memory of each process over many promotions, which has to stay where it is."""

import argparse

import psutil

from bench.charts import lines
from bench.checks import check
from bench.client import Client
from bench.load import names
from bench.local_stack import LocalStack, local_stack
from bench.rounds import pipeline_round
from bench.telling import Result, parser, run, table, tell

# What the first fifth of a run fills, such as caches and pools, is not growth.
SETTLED = 0.2
# What the allocator does between two looks.
TOLERANCE_MB = 8.0
MOST_MB = 150.0


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with local_stack("--processes", kafka=options.kafka) as stack:
        result = run(_measure(stack, options))
    title = f"memory over {result['promotions']:,} promotions, {options.kafka} broker"
    course = result["resident_mb"]
    rows = [
        [name, result["settled_mb"][name], course[name][-1], result["growth_mb"][name], result["peak_memory_mb"][name]]
        for name in sorted(course)
    ]
    points = {name: list(zip(result["after"], seen, strict=True)) for name, seen in course.items()}
    tell(
        options,
        result,
        [
            table(title, ("MB", f"at {SETTLED:.0%}", "at the end", "growth", "most ever"), rows),
            table(
                "verdict",
                ("what", "processes"),
                [
                    (f"grew by more than {TOLERANCE_MB:g} MB", ", ".join(result["growing"]) or "none"),
                    (f"had more than {MOST_MB:g} MB", ", ".join(result["large"]) or "none"),
                ],
            ),
        ],
        lines(title, "MB resident, by promotions completed", points),
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("soak", __doc__)
    made.add_argument("--promotions", type=int, default=200_000, help="in all (default 200000)")
    made.add_argument("--looks", type=int, default=20, help="how often memory is looked at (default 20)")
    made.add_argument("--in-flight", type=int, default=2_000, help="asked for and not completed at most (default 2000)")
    return made.parse_args(arguments)


async def _measure(stack: LocalStack, options: argparse.Namespace) -> Result:
    each = max(1, options.promotions // options.looks)
    after: list[int] = []
    course: dict[str, list[float]] = {name: [] for name in stack.pids if name != "postgres"}
    rates: list[float] = []
    async with Client(stack) as client:
        for look in range(options.looks):
            await client.announce(wanted := names(f"s{look}", each))
            done = await pipeline_round(client, wanted, label=f"soak-{look}", in_flight=options.in_flight)
            checked = await check(client, done.identifiers, walk_chain=False)
            rates.append(done.per_second)
            after.append((look + 1) * each)
            for name, seen in course.items():
                seen.append(round(psutil.Process(stack.pids[name]).memory_info().rss / 1e6, 1))
    settled = {name: seen[int(len(seen) * SETTLED)] for name, seen in course.items()}
    growth = {name: round(seen[-1] - settled[name], 1) for name, seen in course.items()}
    peaks = {name: round(peak, 1) for name, peak in stack.peak_memory_mb().items()}
    return {
        "promotions": after[-1],
        "kafka": options.kafka,
        "after": after,
        "resident_mb": course,
        "settled_mb": settled,
        "growth_mb": growth,
        "peak_memory_mb": peaks,
        "growing": [name for name, grown in growth.items() if grown > TOLERANCE_MB],
        "large": [name for name in stack.services if peaks[name] > MOST_MB],
        "per_second": [round(rate, 1) for rate in rates],
        "checked_each_time": checked,
    }
