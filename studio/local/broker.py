"""The embedded Kafka-protocol broker: librdkafka's in-memory cluster, in a child process of its own.

Not durable: its topics die with it, and a partition keeps its newest 5 MiB at most. Serves 127.0.0.1 only,
with manually assigned partitions; two members in one consumer group need Apache Kafka.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

from studio.local.processes import died
from studio.local.trouble import StartError

PARTITIONS = 12
NOTICE = "in-memory broker, not durable"
_RD_KAFKA_PRODUCER = 0
_ERROR_BYTES = 512
_LOG_ERRORS = b"3"


class BrokerFailedError(StartError):
    """The broker's process ended, or said nothing, before it served."""


class EmbeddedBroker:
    """One broker process with `topics` of `partitions` each; dies with the process that started it.

    `start` and `stop` block for some 200 ms and need no running loop. Each start is a new, empty broker on a
    new port. Topics not named are created when first asked for, with 4 partitions.
    """

    def __init__(self, topics: Sequence[str], *, partitions: int = PARTITIONS) -> None:
        self._topics = tuple(topics)
        self._partitions = partitions
        self._process: subprocess.Popen[bytes] | None = None
        self._bootstrap = ""

    @property
    def pid(self) -> int:
        """Process id of the broker, which leads a process group of its own."""
        return self._started().pid

    @property
    def bootstrap(self) -> str:
        """Address for clients, `127.0.0.1:port`."""
        self._started()
        return self._bootstrap

    def start(self, *, timeout_seconds: float = 15.0) -> None:
        """Start the process and return when it serves. Raises BrokerFailedError."""
        if self._process is not None:
            raise RuntimeError("The embedded broker has been started already; stop it first.")
        process = subprocess.Popen(  # noqa: S603
            [
                *(sys.executable, "-m", "studio.local.broker"),
                *("--partitions", str(self._partitions)),
                *("--topics", *self._topics),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._bootstrap = _read_announcement(process, timeout_seconds)
        except BaseException:
            _end(process)
            raise
        self._process = process

    def stop(self) -> None:
        """End the broker and forget its data; harmless where nothing runs."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def is_running(self) -> bool:
        """Whether the broker was started and has not died since."""
        return self._process is not None and self._process.poll() is None

    async def wait_died(self) -> int:
        """Return the exit status as soon as the broker has died; `stop`, then `start`, make the next one."""
        return await died(self._started())

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The embedded broker is not running.")
        return self._process


def _read_announcement(process: subprocess.Popen[bytes], timeout_seconds: float) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], timeout_seconds)
    line = process.stdout.readline() if readable else b""
    if not line:
        raise BrokerFailedError(
            f"The embedded broker did not start within {timeout_seconds:g} s (exit status {process.poll()}). "
            f"Its own words, if any, stand above. Is the package confluent-kafka installed for this platform?"
        )
    return str(json.loads(line)["bootstrap"])


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _MockCluster:
    """librdkafka's mock cluster, through the C functions that the Python package does not wrap."""

    def __init__(self) -> None:
        self._library = _load_librdkafka()
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(configuration, b"log_level", _LOG_ERRORS, error, _ERROR_BYTES)
        self._client = self._library.rd_kafka_new(_RD_KAFKA_PRODUCER, configuration, error, _ERROR_BYTES)
        if not self._client:
            raise BrokerFailedError(f"librdkafka could not be set up: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        if not self._cluster:
            raise BrokerFailedError("librdkafka could not open a port for its broker on 127.0.0.1.")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    @property
    def bootstrap(self) -> str:
        return str(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def create_topic(self, name: str, partitions: int) -> None:
        error = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if error:
            raise BrokerFailedError(f"Topic {name!r} with {partitions} partitions was refused: {error}.")


def _load_librdkafka() -> ctypes.CDLL:
    from confluent_kafka import cimpl

    library = ctypes.CDLL(cimpl.__file__)  # a symbol is looked up in what this links to as well
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _serve(topics: Sequence[str], partitions: int) -> None:
    """Announce the address as one JSON line, then serve until the parent closes the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cluster = _MockCluster()
    for topic in topics:
        cluster.create_topic(topic, partitions)
    announcement = {"bootstrap": cluster.bootstrap, "pid": os.getpid(), "notice": NOTICE}
    sys.stdout.write(json.dumps(announcement) + "\n")
    sys.stdout.flush()
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # nothing is kept, so nothing is to be flushed


def _main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m studio.local.broker", description=NOTICE)
    arguments.add_argument("--topics", nargs="*", default=[])
    arguments.add_argument("--partitions", type=int, default=PARTITIONS)
    given = arguments.parse_args()
    _serve(given.topics, given.partitions)


if __name__ == "__main__":
    _main()
