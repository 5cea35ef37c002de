"""`python -m bench rules`: how many times a second a rule is evaluated on one core, next to other rule engines.

Each rule is compiled and each engine's facts are prepared once; what is timed is evaluating. Before it is timed, an
engine must agree with a plain tree walk on facts that put every condition on either side of its threshold.
The others come from the dependency group `bench-peers`; those not installed are skipped and named.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.rule_engines import CONTENDERS, ENGINES, OURS, OURS_EXPLAINED
from bench.rule_samples import FACTS, RULES, Json, trials

# Evaluations a second, by engine and rule.
GOALS = {
    (OURS, "2 conditions"): 400_000,
    (OURS, "20 conditions"): 60_000,
    (OURS_EXPLAINED, "2 conditions"): 20_000,
}
_SHORTEST_BATCH_SECONDS = 0.02
_NOTE = """
Others read plain dicts of binary floats and answer true or false. This language reads facts that are classified once
and then evaluated by many rules, compares decimals, and minds ages and unknowns; the line "facts built each time"
charges it for putting them together anew, and "context prepared" spares the compiled CEL the same work."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Time every engine on every rule, and say which goals are missed and which engines are ahead."""
    options = _options(arguments)
    results = [
        result
        for name in ENGINES
        if options.only is None or options.only in name
        for result in _results(name, seconds=options.seconds, rounds=options.rounds)
    ]
    shortfalls = _shortfalls(results)
    if options.json:
        print(json.dumps({"python": platform.python_version(), "results": results, "shortfalls": shortfalls}))
    else:
        _print_table(results, shortfalls)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench rules", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", metavar="TEXT", help="only engines whose name contains TEXT")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a round (default 0.5)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (default 5)")
    return parser.parse_args(arguments)


def _results(name: str, *, seconds: float, rounds: int) -> list[Json]:
    return [_result(name, title, rule, seconds=seconds, rounds=rounds) for title, rule in RULES.items()]


def _result(name: str, title: str, rule: Json, *, seconds: float, rounds: int) -> Json:
    result: Json = {"engine": name, "rule": title, "goal": GOALS.get((name, title))}
    try:
        prepare, evaluate = ENGINES[name](rule)
    except ImportError as missing:
        return result | {"skipped": f"{missing.name or missing} is not installed (dependency group bench-peers)"}
    wrong = sum(evaluate(prepare(facts)) is not expected for facts, expected in trials(rule))
    if wrong:
        return result | {"error": f"disagrees on {wrong} of the trial facts; not timed"}
    prepared = prepare(FACTS)
    per_second = measure(evaluate, prepared, seconds=seconds, rounds=rounds)
    return result | {"per_second": round(per_second), "microseconds": round(1e6 / per_second, 3)}


def measure(evaluate: Callable[[Any], bool], facts: object, *, seconds: float, rounds: int) -> float:
    """Give calls a second: the median over rounds, so that a busy neighbour counts little."""
    batch = 1
    while _time(evaluate, facts, batch) < _SHORTEST_BATCH_SECONDS:
        batch *= 2
    return statistics.median(_rate(evaluate, facts, batch, seconds) for _ in range(rounds))


def _rate(evaluate: Callable[[Any], bool], facts: object, batch: int, seconds: float) -> float:
    count, spent = 0, 0.0
    while spent < seconds:
        spent += _time(evaluate, facts, batch)
        count += batch
    return count / spent


def _time(evaluate: Callable[[Any], bool], facts: object, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        evaluate(facts)
    return time.perf_counter() - start


def _shortfalls(results: list[Json]) -> list[str]:
    """Name the goals that were missed and the engines that are ahead."""
    rates = {(result["engine"], result["rule"]): result["per_second"] for result in results if "per_second" in result}
    missed = [
        f"{engine}, {rule}: {rates[engine, rule]:,}/s, the goal is {goal:,}/s"
        for (engine, rule), goal in GOALS.items()
        if (engine, rule) in rates and rates[engine, rule] < goal
    ]
    ahead = [
        f"{engine}, {rule}: {rates[engine, rule]:,}/s, ahead of {rates[OURS, rule]:,}/s here"
        for engine in CONTENDERS
        for rule in RULES
        if (engine, rule) in rates and (OURS, rule) in rates and rates[engine, rule] >= rates[OURS, rule]
    ]
    return missed + ahead


def _print_table(results: list[Json], shortfalls: list[str]) -> None:
    print(f"{'engine':<42}{'rule':<15}{'a second':>12}{'each':>13}{'goal':>10}")
    for result in results:
        said = result.get("skipped") or result.get("error")
        figures = said or f"{result['per_second']:>12,}{result['microseconds']:>10.2f} µs"
        goal = f"{result['goal']:>10,}" if result["goal"] and not said else ""
        print(f"{result['engine']:<42}{result['rule']:<15}{figures}{goal}")
    all_well = "every goal that was timed is met, and no engine that was timed is ahead"
    print("\n".join(shortfalls) if shortfalls else all_well)
    print(_NOTE)


if __name__ == "__main__":
    main()
