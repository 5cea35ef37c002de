"""`python -m bench [WHAT] [options]`: `pipeline` (the default), `rules` or `ingest`."""

import importlib
import sys

SUITES = ("pipeline", "rules", "ingest")


def main() -> None:
    arguments = sys.argv[1:]
    suite = arguments.pop(0) if arguments and arguments[0] in SUITES else SUITES[0]
    importlib.import_module(f"bench.{suite}").main(arguments)


if __name__ == "__main__":
    main()
