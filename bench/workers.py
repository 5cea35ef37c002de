"""More workers of each service than the local stack starts: processes like those it has, with names of their own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.local_stack import SERVERS, LocalStack
from studio.local.ports import LOOPBACK, claim_port

READY_SECONDS = 180.0
# Until their groups have shared out the partitions anew.
SHARED_OUT_SECONDS = 8.0
# The ingress holds no partitions: it is not what these figures are about.
NOT_MULTIPLIED = SERVERS | {"ingress"}


def multiply(stack: LocalStack, workers: int) -> None:
    """Start as many processes of each service as make `workers` with the one that runs; wait until all do."""
    waiting: dict[Path, str] = {}
    multiplied = [name for name in stack.services if name not in NOT_MULTIPLIED]
    for number in range(2, workers + 1):
        for name in multiplied:
            port = claim_port(None, server=f"the health of {name}-{number}")
            log = stack.folder / f"{name}-{number}.log"
            stack.workers[f"{name}-{number}"] = _start(stack, name, log, number=number, port=port)
            waiting[log] = f"http://{LOOPBACK}:{port}/readyz"
    if waiting:
        _until_ready(waiting)
        time.sleep(SHARED_OUT_SECONDS)


def _start(stack: LocalStack, name: str, log: Path, *, number: int, port: int) -> int:
    environment = psutil.Process(stack.ready["processes"][name]).environ()
    named = {"PROMOTION_INSTANCE": f"{name}-{number}", "PROMOTION_HEALTH_PORT": str(port)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment, **named},
        )
    return process.pid


def _until_ready(waiting: Mapping[Path, str]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    for log, url in waiting.items():
        while (trouble := _trouble(url)) is not None:
            if time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise SystemExit(f"a further worker is not ready after {READY_SECONDS:g} s: {trouble}\n{said}")
            time.sleep(0.1)


def _trouble(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return None
    except urllib.error.HTTPError as answer:
        told = json.loads(answer.read())["trouble"]
        # Of several workers one relays the outbox, and those that are further are not that one.
        return None if told == ["outbox: not relayed"] else f"{url}: {told}"
    except OSError as error:
        return f"{url}: {error}"
