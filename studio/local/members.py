"""What a local stack runs besides its servers: the services and the reference gateways, each as one member.

A member can be built into this process or started as one of its own; it does not know which.
"""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.platform.service import Readiness
from services.platform.settings import Settings
from studio.gateway import ReferenceGateway
from studio.local.ports import LOOPBACK

INGRESS = "ingress"
SERVICES = ("promotion", "rules", "executor", "inventory", "notifications", INGRESS)


class Runnable(Protocol):
    """Something that runs until it is told to stop."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set, then drain."""

    async def readiness(self) -> Readiness:
        """Say whether it does its work now."""


@dataclass(frozen=True)
class Member:
    """One service or gateway; `ready_url` answers 200 when it does its work as a process of its own."""

    name: str
    build: Callable[[], Runnable]
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str


@dataclass(frozen=True)
class LocalGateway:
    """A reference gateway of the local organization."""

    gateway_id: str
    environment: str
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"


class GatewayRun:
    """A reference gateway as a task of this process."""

    def __init__(self, gateway: LocalGateway) -> None:
        self._gateway = gateway
        self._open = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set; raises what made its log fail."""
        async with ReferenceGateway(
            log=self._gateway.log,
            gateway_id=self._gateway.gateway_id,
            environment=self._gateway.environment,
            port=self._gateway.port,
            allow_faults=True,
        ) as serving:
            self._open = True
            stop = asyncio.create_task(stopping.wait())
            await asyncio.wait((stop, serving.failed), return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            self._open = False
            if serving.failed.done():
                raise serving.failed.result()

    async def readiness(self) -> Readiness:
        """Say whether it listens."""
        return Readiness(() if self._open else ("not listening",))


def service_member(name: str, settings: Settings, environment: Mapping[str, str], *, ready_url: str) -> Member:
    """Give the member that is the service `name`."""
    return Member(name, lambda: build_service(name, settings), f"services.{name}", (), environment, ready_url)


def build_service(name: str, settings: Settings) -> Runnable:
    """Build the service `name` into this process."""
    app = importlib.import_module(f"services.{name}.app")
    service: Runnable = app.build_service(settings)
    return service


def gateway_member(gateway: LocalGateway) -> Member:
    """Give the member that is `gateway`; its faults may be scripted at run time."""
    arguments = (
        *("--log", str(gateway.log), "--gateway-id", gateway.gateway_id),
        *("--environment", gateway.environment, "--port", str(gateway.port), "--allow-faults"),
    )
    return Member(
        gateway.gateway_id,
        lambda: GatewayRun(gateway),
        "studio.gateway",
        arguments,
        {},
        f"{gateway.url}/healthz",
    )


def local_gateways(folder: Path, ports: tuple[int, ...], environments: tuple[str, ...]) -> tuple[LocalGateway, ...]:
    """Give one gateway for each of `environments`, on the port beside it."""
    return tuple(
        LocalGateway(f"gw-{environment}", environment, port, folder / f"gw-{environment}.log")
        for environment, port in zip(environments, ports, strict=True)
    )
