"""Runs a local stack in the foreground: says what happens, where everything is, and stops it in order when told."""

import asyncio
import os
import signal
import stat
import sys
import time
from pathlib import Path

import uvloop

from services.platform.settings import ConfigurationError
from services.platform.telemetry import configure_logging
from services.platform.tracing.configuration import tracing_from_environment
from studio.local.stack import LocalStack, StackOptions
from studio.local.trouble import StartError

EXIT_FAILED = 1
EXIT_USAGE = 2


def say(line: str) -> None:
    """Say what happens, with the time of day, beside whatever is printed."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def stop_signals() -> asyncio.Event:
    """Give an event that SIGTERM and Ctrl-C set; for the running loop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def log_to(folder: Path) -> None:
    """Send what the services in this process log to a file of ``folder``."""
    stream = (folder / "services.log").open("a", encoding="utf-8", buffering=1)
    configure_logging(level="info", style="json", stream=stream)


def stop_with_input(stopping: asyncio.Event) -> None:
    """Set ``stopping`` when standard input ends, as a pipe does when whoever holds its other end is gone."""
    loop, number = asyncio.get_running_loop(), sys.stdin.fileno()

    def read() -> None:
        if not os.read(number, 4096):
            loop.remove_reader(number)
            stopping.set()

    mode = os.fstat(number).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise StartError("--attached needs a pipe as standard input, whose other end the caller keeps open")
    loop.add_reader(number, read)


def run_until_told(options: StackOptions, *, attached: bool = False) -> int:
    """Run a stack until it is told to stop, or, ``attached``, until standard input ends; give the exit status."""
    try:
        with tracing_from_environment(instance="local"):
            return uvloop.run(_run(options, attached=attached))
    except StartError as error:
        print(f"promotion: {error}", file=sys.stderr)
        return EXIT_FAILED
    except ConfigurationError as error:
        print(f"promotion: {error}", file=sys.stderr)
        return EXIT_USAGE


async def _run(options: StackOptions, *, attached: bool) -> int:
    stopping = stop_signals()
    if attached:
        stop_with_input(stopping)
    started = time.monotonic()
    stack = LocalStack(options, say)
    log_to(stack.folder.logs)
    start = asyncio.create_task(stack.start())
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([start, told], return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            announce(stack, options, seconds=time.monotonic() - started)
            await told
        say("stopping")
    finally:
        told.cancel()
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await stack.stop()
    return 0


def announce(stack: LocalStack, options: StackOptions, *, seconds: float) -> None:
    """Say where everything is."""
    ready = stack.ready()
    say(f"ready after {seconds:.1f} s")
    say(f"  HTTP API     {ready.api}   (reference: {ready.api}/docs)")
    for gateway in ready.gateways:
        say(f"  {gateway.id:<14} {gateway.url}   log: {gateway.log}")
    say(f"  data         {stack.folder.path}   logs: {stack.folder.logs}")
    say(f'  to use it    eval "$(promotion env admin --data-dir {options.data_folder})"')
    if stack.notice is not None:
        say(f"NOTE: {stack.notice}")
