"""A reference gateway as a process: checks what it was given, says when it is ready, drains on SIGTERM."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import uvloop

from studio.gateway.faults import Script, ScriptUnreadableError, read_script
from studio.gateway.journal import LogFailedError, LogUnusableError
from studio.gateway.records import LogCorruptError
from studio.gateway.server import ReferenceGateway

EXIT_LOG_FAILED = 1
EXIT_UNUSABLE = 2


class CredentialUnreadableError(Exception):
    """The credential file is missing, empty, or holds what no header can carry."""


CANNOT_START = (
    OSError,
    CredentialUnreadableError,
    ScriptUnreadableError,
    LogUnusableError,
    LogFailedError,
    LogCorruptError,
)


def run_gateway(
    *,
    log: Path,
    gateway_id: str,
    environment: str,
    host: str = "127.0.0.1",
    port: int = 0,
    credential_file: Path | None = None,
    script: Path | None = None,
    allow_faults: bool = False,
    fsync: bool = True,
) -> int:
    """Run a reference gateway, which hosts agents and can be told to misbehave, until SIGTERM or Ctrl-C.

    Prints one line of JSON when ready. Returns the exit status: 0 drained, 1 the log failed, 2 cannot start.

    Parameters
    ----------
    log
        The append-only log; what the gateway hosts is read back from it.
    gateway_id
        The id under which the gateway is registered.
    environment
        The environment that the gateway belongs to.
    host
        The address to listen on.
    port
        The port to listen on; 0 takes a free one.
    credential_file
        A file with the bearer credential that requests must carry; without it everybody may ask.
    script
        A JSON or YAML file with the faults to commit.
    allow_faults
        Let PUT, GET and DELETE /faults change the faults at run time.
    fsync
        Wait for the disk before answering. Without it the machine may lose an answer: for benchmarks only.
    """
    try:
        gateway = ReferenceGateway(
            log=log,
            gateway_id=gateway_id,
            environment=environment,
            host=host,
            port=port,
            credential=None if credential_file is None else _read_credential(credential_file),
            script=Script() if script is None else read_script(script),
            allow_faults=allow_faults,
            fsync=fsync,
        )
        return uvloop.run(_serve(gateway))
    except CANNOT_START as error:
        print(f"The gateway {gateway_id} cannot start: {error}", file=sys.stderr)
        return EXIT_UNUSABLE


async def _serve(gateway: ReferenceGateway) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with gateway:
        _announce(gateway)
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait((stop, gateway.failed), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
    if gateway.failed.done():
        print(f"The gateway {gateway.gateway_id} stopped: {gateway.failed.result()}", file=sys.stderr)
        return EXIT_LOG_FAILED
    return 0


def _announce(gateway: ReferenceGateway) -> None:
    if not gateway.fsync:
        print(
            "--no-fsync: answers may be lost with the machine. For benchmarks only.",
            file=sys.stderr,
            flush=True,
        )
    ready = {
        "ready": True,
        "gateway_id": gateway.gateway_id,
        "environment": gateway.environment,
        "url": gateway.url,
        "log": str(gateway.log.resolve()),
        "fsync": gateway.fsync,
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)


def _read_credential(path: Path) -> str:
    try:
        credential = path.read_text(encoding="ascii").strip()
    except CANNOT_START as error:
        raise CredentialUnreadableError(f"the credential file {path} cannot be read: {error}.") from error
    if not credential or not credential.isprintable():
        raise CredentialUnreadableError(f"the credential file {path} must hold one line of printable ASCII.")
    return credential
