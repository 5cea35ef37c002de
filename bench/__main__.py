"""`python -m bench [WHAT] [options]`; without WHAT: the pipeline, then latency at a fixed rate, then HTTP alone."""

import importlib
import sys

ALONE = ("pipeline", "latency", "http")
SUITES = (*ALONE, "growth", "stored", "soak", "idle", "plans", "rules", "ingest")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments and arguments[0] in SUITES:
        importlib.import_module(f"bench.{arguments[0]}").main(arguments[1:])
    elif arguments and not arguments[0].startswith("-"):
        raise SystemExit(f"there is no {arguments[0]!r} to measure; there are {', '.join(SUITES)}")
    else:
        importlib.import_module("bench.pipeline").main(arguments)
        for suite in ALONE[1:]:
            importlib.import_module(f"bench.{suite}").main(_shared(arguments))


def _shared(arguments: list[str]) -> list[str]:
    """Give what every suite understands of the pipeline's arguments."""
    shared = ["--json"] if "--json" in arguments else []
    for place, argument in enumerate(arguments):
        if argument == "--kafka":
            shared += arguments[place : place + 2]
        elif argument.startswith("--kafka="):
            shared.append(argument)
    return shared


if __name__ == "__main__":
    main()
