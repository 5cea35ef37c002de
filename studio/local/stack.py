"""The whole system on this machine: PostgreSQL, Kafka, every service, three gateways, brought up and down together.

It plugs parts together and watches over them; services speak to each other through Kafka and PostgreSQL alone.
"""

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from schemas.vocabulary import DEFAULT_ENVIRONMENTS
from services.platform.clock import utc_now
from services.platform.migrate import migrate_async
from services.platform.settings import CLIENT_VARIABLES, load_settings
from studio.client import PromotionClient
from studio.local.data_folder import DataFolder
from studio.local.hosts import Host, ProcessHost, Say, TaskHost
from studio.local.identities import SERVICE, ensure_identities
from studio.local.kafka import EmbeddedKafka, Flavour, Kafka, LocalApacheKafka, keep_running, publish_address
from studio.local.lifeline import Lifeline
from studio.local.members import (
    INGRESS,
    SERVICES,
    LocalGateway,
    Member,
    gateway_member,
    local_gateways,
    service_member,
)
from studio.local.ports import LOOPBACK, claim_port
from studio.local.postgres import EmbeddedPostgres
from studio.local.ready_file import Ready, ReadyGateway
from studio.local.registration import register_gateways
from studio.local.trouble import StartError

DATABASE = "promotion"
READY_SECONDS = 120.0
# Here gateways and webhooks are on this machine, where a deployment for others lets none be.
LOCAL_NETWORKS = "127.0.0.0/8,::1/128"
_LOOK_AGAIN_SECONDS = 0.05
_REVIVE_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class StackOptions:
    """How a stack is to be; port 0 takes a free one."""

    data_folder: Path
    port: int = 0
    gateway_ports: tuple[int, ...] = (0, 0, 0)
    processes: bool = False
    kafka: Flavour = "embedded"
    # Three need Apache Kafka.
    brokers: int = 1
    ready_file: Path | None = None


class LocalStack:
    """``async with LocalStack(options, say) as stack``: ready inside, gone after it. Raises StartError."""

    def __init__(self, options: StackOptions, say: Say) -> None:
        self._options = options
        self._say = say
        self._folder = DataFolder.open(options.data_folder)
        self._lifeline = Lifeline()
        self._postgres_port = claim_port(None, server="PostgreSQL")
        self._postgres = EmbeddedPostgres(self._folder.postgres, self._postgres_port)
        self._kafka: Kafka = (
            EmbeddedKafka()
            if options.kafka == "embedded"
            else LocalApacheKafka(self._folder, self._lifeline.guard_process, brokers=options.brokers)
        )
        self._host: Host = (
            ProcessHost(say, logs=self._folder.logs, lifeline=self._lifeline) if options.processes else TaskHost(say)
        )
        self._keepers: list[asyncio.Task[None]] = []
        self._gateways: tuple[LocalGateway, ...] = ()
        self._keys: dict[str, str] = {}
        self._port = options.port

    @property
    def api(self) -> str:
        """The base address of the HTTP API."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def folder(self) -> DataFolder:
        """Where the stack keeps its data."""
        return self._folder

    @property
    def notice(self) -> str | None:
        """What people have to know of the broker, if anything."""
        return self._kafka.notice

    def ready(self) -> Ready:
        """Say where everything is now."""
        own = {
            "supervisor": os.getpid(),
            "postgres": self._postgres.pid,
            **self._kafka.pids,
            "lifeline": self._lifeline.pid,
        }
        return Ready(
            api=self.api,
            kafka=self._kafka.bootstrap,
            postgres=self._postgres.dsn_for(DATABASE),
            gateways=[
                ReadyGateway(each.gateway_id, each.environment, each.url, str(each.log)) for each in self._gateways
            ],
            processes=own | self._host.pids(),
            environment={"PROMOTION_URL": self.api, "PROMOTION_API_KEY": self._keys[SERVICE]},
            tokens={name: key for name, key in self._keys.items() if name != SERVICE},
        )

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Drain and end everything, within 10 s."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._withdraw_ready()
        await self._host.stop()
        await asyncio.gather(
            asyncio.to_thread(self._kafka.stop),
            asyncio.to_thread(self._postgres.stop, patience_seconds=2.0),
        )
        await asyncio.to_thread(self._lifeline.stop)
        self._folder.close()

    async def start(self) -> None:
        """Bring everything up; `stop` is needed after it, also where it raises. Raises StartError."""
        self._withdraw_ready()
        settings = load_settings(self._tuned() | self._decided(database_url="postgresql://not/started"))
        self._claim_ports()
        self._lifeline.start()
        self._lifeline.guard_cluster(self._postgres.cluster)
        await _together(
            self._start_database(),
            asyncio.to_thread(self._kafka.start, partitions=settings.kafka_partitions),
            asyncio.to_thread(_import_services, () if self._options.processes else SERVICES),
        )
        publish_address(self._kafka, self._folder)
        await self._host.start(self._members())
        await self._until_ready()
        await self._register_gateways()
        self._publish_ready()
        self._keepers = [
            asyncio.create_task(self._keep_kafka()),
            asyncio.create_task(self._keep_postgres()),
            asyncio.create_task(self._keep_lifeline()),
            asyncio.create_task(self._follow_changes()),
        ]

    def _claim_ports(self) -> None:
        self._port = claim_port(self._options.port or None, server="the HTTP API (--port)")
        ports = tuple(
            claim_port(port or None, server="a gateway (--gateway-ports)") for port in self._options.gateway_ports
        )
        self._gateways = local_gateways(self._folder.gateways, ports, DEFAULT_ENVIRONMENTS)

    async def _start_database(self) -> None:
        await asyncio.to_thread(self._postgres.start)
        if not await asyncio.to_thread(self._postgres.has_database, DATABASE):
            await asyncio.to_thread(self._postgres.create_database, DATABASE)
        url = self._postgres.dsn_for(DATABASE)
        await migrate_async(url)
        self._keys = await ensure_identities(
            url, file=self._folder.identities_file, pepper=self._folder.pepper(), clock=utc_now
        )

    def _members(self) -> list[Member]:
        members = [gateway_member(gateway) for gateway in self._gateways]
        for name in SERVICES:
            environment = self._environment(name)
            settings = load_settings(environment)
            ready_url = f"{self.api}/readyz" if name == INGRESS else f"http://{LOOPBACK}:{settings.health_port}/readyz"
            members.append(service_member(name, settings, environment, ready_url=ready_url))
        return members

    def _tuned(self) -> dict[str, str]:
        """What the caller set for the services."""
        return {
            variable: value
            for variable, value in os.environ.items()
            if variable.startswith(("PROMOTION_", "KAFKA_TRUST")) and variable not in CLIENT_VARIABLES
        }

    def _decided(self, *, database_url: str) -> dict[str, str]:
        """What this stack sets for every service, over what the caller set."""
        return {
            "DATABASE_URL": database_url,
            "PROMOTION_KAFKA_BOOTSTRAP_FILE": str(self._folder.bootstrap_file),
            "PROMOTION_KAFKA_FLAVOUR": self._options.kafka,
            "PROMOTION_KEY_PEPPER": self._folder.pepper(),
            "PROMOTION_CREDENTIAL_KEYS": self._folder.credential_key(),
            "PROMOTION_GATEWAY_ALLOWED_NETWORKS": LOCAL_NETWORKS,
            "PROMOTION_WEBHOOK_ALLOWED_NETWORKS": LOCAL_NETWORKS,
            "PROMOTION_HTTP_HOST": LOOPBACK,
        }

    def _environment(self, name: str) -> dict[str, str]:
        decided = self._decided(database_url=self._postgres.dsn_for(DATABASE))
        if name == INGRESS:
            decided["PROMOTION_HTTP_PORT"] = str(self._port)
        elif self._options.processes:
            decided["PROMOTION_HEALTH_PORT"] = str(claim_port(None, server=f"the health of {name}"))
        return self._tuned() | decided

    async def _until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while trouble := await self._host.trouble():
            if asyncio.get_running_loop().time() > deadline:
                logs = self._folder.logs
                raise StartError(f"Not ready within {READY_SECONDS:g} s: {'; '.join(trouble)}. See {logs}.")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _register_gateways(self) -> None:
        async with PromotionClient(self.api, self._keys["admin"]) as client:
            await register_gateways(client, self._gateways, self._say)

    async def _keep_kafka(self) -> None:
        await keep_running(self._kafka, self._folder, say=self._say, revived=self._publish_ready)

    async def _keep_postgres(self) -> None:
        while True:
            status = await self._postgres.wait_died()
            self._say(f"PostgreSQL died (status {status}); starting it again. Its log: {self._postgres.log}")
            while not await self._postgres_revived():  # noqa: ASYNC110 - a machine that recovers sets no event
                await asyncio.sleep(_REVIVE_PAUSE_SECONDS)
            self._publish_ready()

    async def _postgres_revived(self) -> bool:
        try:
            await asyncio.to_thread(self._postgres.stop)
            await asyncio.to_thread(self._postgres.start)
        except Exception as error:  # noqa: BLE001 - a machine short of something now may have it soon
            self._say(f"PostgreSQL did not start: {error}")
            return False
        return True

    async def _keep_lifeline(self) -> None:
        while True:
            await self._lifeline.wait_died()
            self._say("the lifeline died; starting another")
            await asyncio.to_thread(self._lifeline.start)
            self._publish_ready()

    async def _follow_changes(self) -> None:
        while True:
            await self._host.changed.wait()
            self._host.changed.clear()
            self._publish_ready()

    @property
    def _ready_files(self) -> tuple[Path, ...]:
        asked = self._options.ready_file
        return (self._folder.ready_file,) if asked is None else (self._folder.ready_file, asked)

    def _withdraw_ready(self) -> None:
        for path in self._ready_files:
            path.unlink(missing_ok=True)

    def _publish_ready(self) -> None:
        with contextlib.suppress(RuntimeError):  # a server is just being replaced; its keeper writes again
            ready = self.ready()
            for path in self._ready_files:
                try:
                    ready.write(path)
                except StartError as error:
                    self._say(str(error))


async def _together(*parts: Coroutine[Any, Any, None]) -> None:
    """Wait for all `parts`, also when cancelled: what a thread is starting has to be known before it is stopped."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        await asyncio.wait(tasks)
        raise
    for task in tasks:
        task.result()


def _import_services(names: Sequence[str]) -> None:
    for name in names:
        __import__(f"services.{name}.app")
