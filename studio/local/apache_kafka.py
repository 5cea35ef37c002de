"""A real Apache Kafka on this machine: KRaft, one node or three, each both broker and controller; loopback only.

Its data are kept in its folder from run to run. No TLS and no authentication: not for production.
"""

import asyncio
import base64
import json
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.local.apache_kafka_jars import NoApacheKafkaError, find_java, resolve_jars
from studio.local.folder_lock import FolderLock
from studio.local.kafka_admin import answering_brokers, create_topics
from studio.local.ports import LOOPBACK, claim_port
from studio.local.processes import died
from studio.local.trouble import StartError

_SERVER: Final = "Apache Kafka"
_JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN")
_LARGEST_SHUTDOWN_SECONDS = 15.0


class ApacheKafkaFailedError(StartError):
    """Apache Kafka itself gave up; carries the end of its log."""


@dataclass(frozen=True)
class _Node:
    number: int
    folder: Path
    port: int
    controller_port: int

    @property
    def voter(self) -> str:
        return f"{self.number}@{LOOPBACK}:{self.controller_port}"

    @property
    def settings_file(self) -> Path:
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"


class ApacheKafka:
    """One cluster on one folder. `start`, `stop`, `kill`, `restart` block and need no running loop.

    `port` is that of the first node; the others, and all for None, are free ones, the same for the object's life.
    """

    def __init__(
        self, folder: Path, port: int | None = None, *, brokers: int = 1, cache_folder: Path | None = None
    ) -> None:
        if brokers not in (1, 3):
            raise ValueError(f"{brokers} brokers: choose 1, or 3 to survive the loss of one.")
        self.folder = folder.absolute()
        self._wanted_port = port
        self._brokers = brokers
        self._cache_folder = cache_folder
        self._lock = FolderLock(self.folder, "apache-kafka.lock")
        self._nodes: list[_Node] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap(self) -> str:
        """Addresses for clients, `127.0.0.1:port`, separated by commas."""
        return ",".join(f"{LOOPBACK}:{node.port}" for node in self._nodes)

    @property
    def pids(self) -> list[int]:
        """Process ids, first node first; each leads a process group of its own."""
        return [process.pid for process in self._processes.values()]

    def start(self, *, timeout_seconds: float = 60.0) -> None:
        """Format the storage if that is missing, start, and return when every broker answers.

        Raises NoApacheKafkaError, FolderInUseError, PortTakenError or ApacheKafkaFailedError.
        """
        if self._processes:
            raise RuntimeError("This Apache Kafka has been started already; use restart.")
        java, classpath = find_java(), resolve_jars(self._cache_folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.acquire()
        try:
            self._nodes = self._nodes or self._lay_out()
            for node in self._nodes:
                claim_port(node.port, server=_SERVER)
                claim_port(node.controller_port, server=_SERVER)
                self._prepare(node, java=java, classpath=classpath)
            for node in self._nodes:
                self._processes[node.number] = _launch(node, java=java, classpath=classpath)
            self._await_brokers(timeout_seconds)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut down in order, SIGKILL what takes longer than 15 s; harmless where nothing runs."""
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + _LARGEST_SHUTDOWN_SECONDS
        for process in self._processes.values():
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        self.kill()

    def kill(self) -> None:
        """SIGKILL every node, as a power cut would."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes.clear()
        self._lock.release()

    def restart(self) -> None:
        """Stop what still runs, and start again on the same ports and data."""
        self.stop()
        self.start()

    def revive(self, *, timeout_seconds: float = 60.0) -> None:
        """Start the nodes that have died on the same ports and data; the others go on meanwhile."""
        java, classpath = find_java(), resolve_jars(self._cache_folder)
        for node in self._nodes:
            if self._processes[node.number].poll() is not None:
                self._processes[node.number] = _launch(node, java=java, classpath=classpath)
        self._await_brokers(timeout_seconds)

    def is_running(self) -> bool:
        """Whether it was started and no node has died since."""
        return bool(self._processes) and all(p.poll() is None for p in self._processes.values())

    async def wait_died(self) -> int:
        """Return the exit status of the first node that dies."""
        deaths = [asyncio.ensure_future(died(process)) for process in self._processes.values()]
        try:
            done, _ = await asyncio.wait(deaths, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for death in deaths:
                death.cancel()
        return done.pop().result()

    def create_topics(self, names: tuple[str, ...] | list[str], partitions: int) -> None:
        """Create the topics that are missing; see `kafka_admin.create_topics`."""
        create_topics(self.bootstrap, names, partitions=partitions)

    def _lay_out(self) -> list[_Node]:
        nodes: list[_Node] = []
        for number in range(1, self._brokers + 1):
            port = claim_port(self._wanted_port if number == 1 else None, server=_SERVER)
            controller_port = claim_port(None, server=_SERVER)
            nodes.append(_Node(number, self.folder / f"node-{number}", port, controller_port))
        return nodes

    def _prepare(self, node: _Node, *, java: str, classpath: str) -> None:
        node.folder.mkdir(exist_ok=True)
        replicas = min(3, self._brokers)
        settings = {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "listeners": f"PLAINTEXT://{LOOPBACK}:{node.port},CONTROLLER://{LOOPBACK}:{node.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{node.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": ",".join(each.voter for each in self._nodes),
            "log.dirs": str(node.folder / "data"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": str(replicas),
            "min.insync.replicas": str(max(1, replicas - 1)),
            "offsets.topic.replication.factor": str(replicas),
            "offsets.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "2000",
        }
        node.settings_file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        if not (node.folder / "formatted").exists():
            self._format(node, java=java, classpath=classpath)

    def _format(self, node: _Node, *, java: str, classpath: str) -> None:
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted")
        done = subprocess.run(  # noqa: S603
            [
                *(java, *_JVM_OPTIONS, "-cp", classpath, *tool),
                f"--cluster-id={self._cluster_id()}",
                *("--config", str(node.settings_file)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ApacheKafkaFailedError(f"Apache Kafka could not format {node.folder}: {done.stdout}{done.stderr}")
        (node.folder / "formatted").touch()

    def _cluster_id(self) -> str:
        path = self.folder / "cluster.json"
        if not path.exists():
            new = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            unfinished = path.with_suffix(".new")
            unfinished.write_text(json.dumps({"id": new, "brokers": self._brokers}))
            unfinished.rename(path)
        kept = json.loads(path.read_text())
        if kept["brokers"] != self._brokers:
            raise StartError(
                f"The data in {self.folder} are of {kept['brokers']} broker(s), not {self._brokers}. "
                f"Use that number, or another folder."
            )
        return str(kept["id"])

    def _await_brokers(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while answering_brokers(self.bootstrap) < self._brokers:
            for node in self._nodes:
                if self._processes[node.number].poll() is not None:
                    said = node.log.read_text(errors="replace")[-2000:]
                    raise ApacheKafkaFailedError(f"Apache Kafka did not start on {node.folder}. It says:\n{said}")
            if time.monotonic() > deadline:
                raise ApacheKafkaFailedError(
                    f"Apache Kafka was not ready within {timeout_seconds:g} s. See {self._nodes[0].log}."
                )


def _launch(node: _Node, *, java: str, classpath: str) -> subprocess.Popen[bytes]:
    with node.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            [java, *_JVM_OPTIONS, "-cp", classpath, "kafka.Kafka", str(node.settings_file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=node.folder,
            start_new_session=True,
        )


__all__ = ["ApacheKafka", "ApacheKafkaFailedError", "NoApacheKafkaError"]
