"""`python -m bench idle`: what each process takes of one core while nobody asks for anything."""

import argparse
import time

from bench.charts import Bar, bars
from bench.local_stack import LocalStack, local_stack
from bench.telling import Result, parser, table, tell


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with local_stack("--processes", kafka=options.kafka) as stack:
        time.sleep(options.settle)
        result = _measure(stack, options)
    title = f"idle for {options.seconds:g} s, {options.kafka} broker"
    shares = sorted(result["percent_of_a_core"].items(), key=lambda item: -item[1])
    tell(
        options,
        result,
        [table(title, ("process", "% of one core"), [*shares, *result["together"].items()])],
        bars(title, "percent of one core", [Bar(name, share, share, share) for name, share in shares]),
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser("idle", __doc__)
    made.add_argument("--seconds", type=float, default=15.0, help="how long (default 15)")
    made.add_argument(
        "--settle", type=float, default=10.0, help="seconds after the start that do not count (default 10)"
    )
    return made.parse_args(arguments)


def _measure(stack: LocalStack, options: argparse.Namespace) -> Result:
    before, began = stack.cpu_seconds(), time.perf_counter()
    time.sleep(options.seconds)
    after, seconds = stack.cpu_seconds(), time.perf_counter() - began
    shares = {name: (after[name] - before[name]) / seconds * 100 for name in before}
    services = sum(shares[name] for name in stack.services)
    broker = sum(share for name, share in shares.items() if name.startswith("kafka"))
    return {
        "kafka": options.kafka,
        "seconds": options.seconds,
        "percent_of_a_core": {name: round(share, 2) for name, share in shares.items()},
        "together": {
            "the services": round(services, 2),
            "the services and the broker": round(services + broker, 2),
            "everything": round(sum(shares.values()), 2),
        },
    }
