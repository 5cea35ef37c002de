"""Runs the fuzzers against a local stack: schemathesis from the live OpenAPI, our own over HTTP and over Kafka.

Exit 1 where anything was answered 5xx, not at all, or left the stack not ready with records unhandled.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.end_to_end.stack import RunningStack
from tests.fuzz import records, requests

SETTLE_SECONDS = 120.0
# Of the time, what schemathesis gets; the rest is our own fuzzers'.
_SHARE = 0.25


def main() -> int:
    """Run for as long as ``--seconds`` says."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    # Whoever fuzzes calls as often as it can.
    os.environ["PROMOTION_PRINCIPAL_REQUESTS_PER_SECOND"] = os.environ["PROMOTION_ORGANIZATION_REQUESTS_PER_SECOND"] = (
        "0"
    )
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder:
        stack = RunningStack(Path(folder))
        try:
            return _fuzz(stack, options.seconds, options.seed)
        finally:
            stack.stop()


def _fuzz(stack: RunningStack, seconds: float, seed: int) -> int:
    ready = stack.ready
    url, tokens = ready["api"], ready["tokens"]
    keys = list(tokens.values())
    findings, sent = asyncio.run(_own(url, keys, ready["kafka"], seconds * (1 - _SHARE), seed))
    print(f"{findings.statuses.total()} requests, {sent} records: {dict(sorted(findings.statuses.items()))}")
    for wrong in findings.wrong:
        print(wrong)
    by_schema = _schemathesis(url, tokens["admin"], seconds * _SHARE, seed)
    unsettled = _unsettled(url, tokens["admin"])
    for trouble in unsettled:
        print("afterwards:", trouble)
    crashed = "request failed" in stack.log
    if crashed:
        print("a request failed inside:", *[line for line in stack.log.splitlines() if "request failed" in line][:5])
    return 1 if findings.wrong or by_schema or unsettled or crashed else 0


async def _own(url: str, keys: list[str], kafka: str, seconds: float, seed: int) -> tuple[requests.Findings, int]:
    return await asyncio.gather(
        requests.fuzz(url, keys, seconds=seconds, seed=seed), records.fuzz(kafka, seconds=seconds, seed=seed)
    )


def _schemathesis(url: str, key: str, seconds: float, seed: int) -> int:
    """Give schemathesis's exit status: 0 where it found no server error."""
    return subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis", "run", f"{url}/openapi.json", "--url", url,
            "--header", f"Authorization:Bearer {key}", "--checks", "not_a_server_error",
            "--max-time", str(int(seconds)),
            "--phases", "examples,coverage,fuzzing,stateful", "--exclude-path", "/api/v1/stream", "--seed", str(seed),
            "--continue-on-failure", "--request-timeout", "20", "--workers", "2", "--no-color", "--warnings", "off",
            "--generation-database", "none", "--suppress-health-check", "all", "--max-examples", "100000",
        ],
        check=False,
    ).returncode  # fmt: skip


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
