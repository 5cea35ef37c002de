"""What little administration a local Kafka needs: does it answer, and are its topics there. Needs no event loop."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from studio.local.trouble import StartError

_QUIET: dict[str, Any] = {
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 100,
    "log_level": 0,
}
_ANSWER_SECONDS = 0.5


class TopicError(StartError):
    """A topic could not be made as wanted."""


def answering_brokers(bootstrap: str) -> int:
    """Return how many brokers the cluster behind `bootstrap` reports, 0 for none within half a second."""
    client = AdminClient({**_QUIET, "bootstrap.servers": bootstrap})
    try:
        return len(client.list_topics(timeout=_ANSWER_SECONDS).brokers)
    except KafkaException:
        return 0


def create_topics(
    bootstrap: str,
    names: Iterable[str],
    *,
    partitions: int,
    replication_factor: int = -1,
    timeout_seconds: float = 30.0,
    security: Mapping[str, str] | None = None,
) -> None:
    """Create the topics that are missing, and return when each partition of all has a leader. Raises TopicError.

    A `replication_factor` of -1 leaves it to the cluster; `security` says, as librdkafka does, as whom it is asked.
    """
    client = AdminClient({**_QUIET, "bootstrap.servers": bootstrap, **(security or {})})
    wanted = list(names)
    # Whoever may not create topics, and needs none, is not refused; the embedded broker cannot be asked for any.
    try:
        there = client.list_topics(timeout=timeout_seconds).topics
    except KafkaException as error:
        raise TopicError(f"Kafka at {bootstrap} did not say which topics it has: {error}") from error
    if missing := [name for name in wanted if name not in there]:
        _create(client, missing, bootstrap, partitions, replication_factor, timeout_seconds)
    _await_leaders(client, wanted, partitions=partitions, timeout_seconds=timeout_seconds)


def _create(
    client: AdminClient,
    names: list[str],
    bootstrap: str,
    partitions: int,
    replication_factor: int,
    timeout_seconds: float,
) -> None:
    topics = [NewTopic(name, num_partitions=partitions, replication_factor=replication_factor) for name in names]
    asked = client.create_topics(topics, request_timeout=timeout_seconds)
    for name, answer in asked.items():
        try:
            answer.result()
        except KafkaException as refusal:
            if refusal.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"Topic {name!r} could not be created at {bootstrap}: {refusal}") from refusal


def _await_leaders(client: AdminClient, names: list[str], *, partitions: int, timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not all(_led_partitions(client, name) >= partitions for name in names):
        if time.monotonic() > deadline:
            found = {name: _led_partitions(client, name) for name in names}
            raise TopicError(
                f"Wanted {partitions} partitions with a leader for each topic, but found {found} after "
                f"{timeout_seconds:g} s. A topic that has fewer must be extended or removed by hand."
            )
        time.sleep(0.05)


def _led_partitions(client: AdminClient, name: str) -> int:
    topic = client.list_topics(name, timeout=5.0).topics[name]
    return sum(1 for partition in topic.partitions.values() if partition.leader >= 0)
