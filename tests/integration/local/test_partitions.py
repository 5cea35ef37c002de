"""The local stack's broker has as many partitions as its services read; fewer or more would be silence."""

from confluent_kafka.admin import AdminClient

from schemas.topics import all_topics
from studio.local.kafka import EmbeddedKafka


def test_every_topic_has_the_partitions_that_were_asked_for_also_after_the_broker_came_back() -> None:
    kafka = EmbeddedKafka()
    kafka.start(partitions=3)
    try:
        first = partitions(kafka.bootstrap)
        kafka.revive()
        revived = partitions(kafka.bootstrap)
    finally:
        kafka.stop()

    assert first == revived == dict.fromkeys(all_topics(), 3)


def partitions(bootstrap: str) -> dict[str, int]:
    topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}
