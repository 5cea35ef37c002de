"""Commands for one machine: up, demo, env, gateway."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from studio.cli.exits import NOT_FOUND, UsageError
from studio.cli.output import note
from studio.gateway.run import run_gateway as gateway

DEFAULT_FOLDER = Path(".promotion")
DEFAULT_PORT = 8080
DEFAULT_GATEWAY_PORTS = "0,0,0"
DataDir = Annotated[Path, Parameter(name="--data-dir", help="Where its data are kept from run to run.")]


def up(
    *,
    data_dir: DataDir = DEFAULT_FOLDER,
    port: int = DEFAULT_PORT,
    gateway_ports: str = DEFAULT_GATEWAY_PORTS,
    processes: Annotated[bool, Parameter(negative="")] = False,
    kafka: Literal["embedded", "apache"] = "embedded",
    brokers: Literal[1, 3] = 1,
    ready_file: Path | None = None,
    attached: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run the whole system on this machine until Ctrl-C or SIGTERM: database, broker, services, three gateways.

    Parameters
    ----------
    port
        The port of the HTTP API; 0 takes a free one.
    gateway_ports
        The ports of the gateways of development, staging and production; 0 takes a free one.
    processes
        Run each service and gateway as a process of its own, and start again one that dies.
    kafka
        The broker: the embedded one, in memory; or an Apache Kafka, which needs Java 17 and, at first, Maven.
    brokers
        How many nodes the Apache Kafka has; three keep every record although one of them dies with its data.
    ready_file
        A file to write once everything is ready: where everything is, and keys to use it. Mode 0600.
    attached
        End as well when standard input does: a program that starts this through a pipe takes it along when it dies.
    """
    from studio.local.run import run_until_told
    from studio.local.stack import StackOptions

    if brokers > 1 and kafka == "embedded":
        raise UsageError(f"--brokers {brokers} needs --kafka apache: the embedded broker is one node")
    return run_until_told(
        StackOptions(
            data_folder=data_dir,
            port=_port(port),
            gateway_ports=_ports(gateway_ports),
            processes=processes,
            kafka=kafka,
            brokers=brokers,
            ready_file=ready_file,
        ),
        attached=attached,
    )


def demo(
    *,
    exit: Annotated[bool, Parameter(name="--exit", negative="", help="End when the journey has ended.")] = False,  # noqa: A002
    data_dir: Annotated[Path | None, Parameter(help="Where to keep the data; by default nowhere.")] = None,
    port: int = 0,
    processes: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run the system, and move one deployment from development to production through its HTTP API.

    Parameters
    ----------
    port
        The port of the HTTP API; 0 takes a free one.
    processes
        Run each service and gateway as a process of its own.
    """
    from studio.demo.run import run_demo

    return run_demo(data_folder=data_dir, port=_port(port), processes=processes, leave_up=not exit)


def env(
    identity: str | None = None,
    /,
    *,
    data_dir: DataDir = DEFAULT_FOLDER,
    operator: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Print the variables that speak to a running local system, for: eval "$(promotion env admin)".

    Parameters
    ----------
    identity
        Whose key: requester, approver, approver2, admin, operator, viewer, outsider; by default that of programs.
    operator
        Also print what promotion token and promotion migrate need.
    """
    file = data_dir / "ready.json"
    if not file.exists():
        note(f"no local system runs on {data_dir}; start one: promotion up --data-dir {data_dir}")
        return NOT_FOUND
    ready = json.loads(file.read_text(encoding="utf-8"))
    variables = dict(ready["environment"])
    if identity is not None:
        if identity not in ready["tokens"]:
            raise UsageError(f"there is no identity {identity!r}; there are {', '.join(ready['tokens'])}")
        variables["PROMOTION_API_KEY"] = ready["tokens"][identity]
    if operator:
        variables["DATABASE_URL"] = ready["postgres"]
        variables["PROMOTION_KEY_PEPPER"] = (data_dir / "key.pepper").read_text(encoding="ascii").strip()
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def _ports(text: str) -> tuple[int, ...]:
    try:
        ports = tuple(_port(int(part)) for part in text.split(","))
    except ValueError:
        ports = ()
    if len(ports) != 3:
        raise UsageError(f"--gateway-ports {text!r} has to be three ports with commas between, such as 8081,8082,8083")
    return ports


def _port(number: int) -> int:
    if not 0 <= number <= 65535:
        raise UsageError(f"{number} is not a port; choose one from 1024 to 65535, or 0 for a free one")
    return number


__all__ = ["demo", "env", "gateway", "up"]
