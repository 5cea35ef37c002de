"""``python -m tests.chaos``: one run; 0 every invariant held, 1 one did not, 2 the run did not meet what it is for."""

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.checks import violations
from tests.chaos.report import BROKEN, HELD, Report, report
from tests.chaos.run import Options, run
from tests.chaos.wipe import wipe


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--promotions", type=int, help="by default 200, and 500 with --wipe")
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", choices=("embedded", "apache"), default="embedded")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="three need --kafka apache")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no fault after so long, and judge")
    parser.add_argument("--wipe", action="store_true", help="no schedule: the broker loses its data, once")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing on the way")
    parser.add_argument("--keep", type=Path, help="a folder to keep data and logs in; by default none, unless it fails")
    given = parser.parse_args(arguments)
    # That the broker is away is what a run is about.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if given.wipe and given.kafka == "apache":
        parser.error("--wipe needs the embedded broker: an Apache Kafka keeps its data when it is killed")
    options = Options(
        promotions=given.promotions or (500 if given.wipe else 200),
        faults=given.faults,
        seed=given.seed,
        kafka=given.kafka,
        brokers=given.brokers,
        minutes=given.minutes,
    )
    folder = given.keep or Path(tempfile.mkdtemp(prefix="promotion-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    act, status = _wiped if given.wipe else _ran, BROKEN
    try:
        status = act(options, folder, as_json=given.json)
    finally:
        if given.keep is None and status == HELD:
            shutil.rmtree(folder)
        else:
            _say(f"data and logs: {folder}")
    return status


def _ran(options: Options, folder: Path, *, as_json: bool) -> int:
    result: Report = report(options, asyncio.run(run(options, folder, _silent if as_json else _say)))
    print(result.as_json() if as_json else result.as_text())
    return result.status


def _wiped(options: Options, folder: Path, *, as_json: bool) -> int:
    read, under_way, seconds = asyncio.run(wipe(options, folder, _silent if as_json else _say))
    found = list(violations(read))
    if as_json:
        print(json.dumps({"under_way": under_way, "seconds": seconds, "violations": [each.text for each in found]}))
    else:
        print(f"{under_way} promotions under way, all done {seconds:.1f} s after the broker died with its data")
        for each in found:
            print(f"BROKEN  {each.category}: {each.text}")
    return BROKEN if found else HELD


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def _silent(_: str) -> None:
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
