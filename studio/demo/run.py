"""Brings a stack up, walks the journey on it, and leaves it up until told otherwise."""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from services.platform.settings import ConfigurationError
from studio.demo.journey import Journey, JourneyFailed
from studio.demo.telling import Telling
from studio.local.run import announce, log_to, say, stop_signals
from studio.local.stack import LocalStack, StackOptions
from studio.local.trouble import StartError
from studio.problems import ApiError, Unreachable


def run_demo(*, data_folder: Path | None, port: int, processes: bool, leave_up: bool) -> int:
    """Run the demonstration; give 0 when all came true, else 1."""
    try:
        with _folder(data_folder) as folder:
            options = StackOptions(data_folder=folder, port=port, processes=processes)
            return uvloop.run(_run(options, leave_up=leave_up))
    except (StartError, ConfigurationError) as error:
        print(f"promotion demo: {error}", file=sys.stderr)
        return 1


async def _run(options: StackOptions, *, leave_up: bool) -> int:
    stopping = stop_signals()
    telling = Telling()
    stack = LocalStack(options, say)
    log_to(stack.folder.logs)
    walk = asyncio.create_task(_walk(stack, options, telling))
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([walk, told], return_when=asyncio.FIRST_COMPLETED)
        if not walk.done():
            say("stopped before the end")
            return 1
        status = walk.result()
        if leave_up and status == 0:
            say("the system stays up until Ctrl-C")
            await told
        return status
    finally:
        told.cancel()
        walk.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await walk
        await stack.stop()


async def _walk(stack: LocalStack, options: StackOptions, telling: Telling) -> int:
    telling.heading("Bringing up PostgreSQL, a Kafka broker, six services and three gateways")
    began = time.monotonic()
    await stack.start()
    announce(stack, options, seconds=time.monotonic() - began)
    try:
        await Journey(stack.ready(), telling).walk()
    except (JourneyFailed, ApiError, Unreachable) as error:
        print(f"promotion demo: it did not come true: {error}", file=sys.stderr)
        return 1
    telling.heading("The deployment is in production: everything came true.")
    return 0


@contextmanager
def _folder(asked: Path | None) -> Iterator[Path]:
    if asked is not None:
        yield asked
        return
    with tempfile.TemporaryDirectory(prefix="promotion-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
