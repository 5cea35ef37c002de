"""Runs the fuzzers against a local stack: schemathesis from the live OpenAPI, our own over HTTP and over Kafka.

Exit 1 where anything was answered 5xx, not at all, or left the stack not ready with records unhandled.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.end_to_end.stack import RunningStack
from tests.fuzz import by_schema, records, requests

SETTLE_SECONDS = 120.0
# Of the time, what schemathesis gets; the rest is our own fuzzers'.
_SHARE = 0.25
# A request that failed, an event that broke its handler, a process that died.
_UNFORESEEN = ("request failed", "event not processable", "died (")


def main() -> int:
    """Run for as long as ``--seconds`` says."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--requests", type=int, help="spoilt requests to send, however long it takes")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    # Whoever fuzzes calls as often as it can.
    os.environ["PROMOTION_PRINCIPAL_REQUESTS_PER_SECOND"] = os.environ["PROMOTION_ORGANIZATION_REQUESTS_PER_SECOND"] = (
        "0"
    )
    print(f"seed {options.seed}")
    # Spoilt requests and records take things away that walks along the document need: a stack for each.
    held = [
        _on_a_stack(lambda stack: _spoilt(stack, options)),
        _on_a_stack(lambda stack: by_schema.run(stack.ready, seconds=options.seconds * _SHARE, seed=options.seed)),
    ]
    return 0 if all(held) else 1


def _on_a_stack(fuzz: Callable[[RunningStack], bool]) -> bool:
    """Fuzz a fresh stack; tell whether nothing was found, nothing failed inside, and it settled afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        # As it is deployed: records that flood a service slow down that service, not the door.
        stack = RunningStack(Path(folder), "--processes")
        try:
            held = fuzz(stack)
            unsettled = _unsettled(stack.ready["api"], stack.ready["tokens"]["admin"])
        finally:
            stack.stop()
        failures = [line for log in Path(folder).rglob("*.log") for line in _failures(log)]
    for trouble in [*unsettled, *failures[:10]]:
        print("afterwards:", trouble[:500])
    return held and not unsettled and not failures


def _failures(log: Path) -> list[str]:
    """Give the lines that tell of what nobody foresaw."""
    return [line for line in log.read_text(errors="replace").splitlines() if any(mark in line for mark in _UNFORESEEN)]


def _spoilt(stack: RunningStack, options: argparse.Namespace) -> bool:
    """Send spoilt requests and records; tell whether every request was answered as it should be."""
    end = time.monotonic() + options.seconds * (1 - _SHARE)

    def enough(findings: requests.Findings) -> bool:
        if options.requests is not None:
            return findings.statuses.total() >= int(options.requests)
        return time.monotonic() > end

    findings, sent = asyncio.run(_own(stack.ready, enough, options.seed))
    print(f"{findings.statuses.total()} requests, {sent} records: {dict(sorted(findings.statuses.items()))}")
    for found in findings.wrong:
        print(found)
    print(f"{len(findings.busy)} were answered 503 with Retry-After at first, and otherwise when they were sent again")
    for found in findings.busy[:20]:
        print(" ", found)
    return not findings.wrong


async def _own(
    ready: Mapping[str, Any], enough: Callable[[requests.Findings], bool], seed: int
) -> tuple[requests.Findings, int]:
    findings = requests.Findings()
    keys = list(ready["tokens"].values())
    _, sent = await asyncio.gather(
        requests.fuzz(ready["api"], keys, findings, enough=lambda: enough(findings), seed=seed),
        records.fuzz(ready["kafka"], enough=lambda: enough(findings), seed=seed),
    )
    return findings, sent


def _unsettled(url: str, key: str) -> list[str]:
    """Give what still keeps the services from being done after two minutes; nothing is how it should be."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (trouble := _trouble(url, key)) and time.monotonic() < deadline:
        time.sleep(1)
    return trouble


def _trouble(url: str, key: str) -> list[str]:
    request = urllib.request.Request(f"{url}/api/v1/services", headers={"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            reports = json.load(answer)["items"]
    except (OSError, ValueError) as error:
        return [f"no reports: {error}"]
    busy = [report for report in reports if not report["ready"] or report["outbox_rows"] or any(report["lag"].values())]
    return [f"{report['service']}: {report['trouble']}, lag {report['lag']}" for report in busy]


if __name__ == "__main__":
    raise SystemExit(main())
