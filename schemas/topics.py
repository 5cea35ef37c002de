"""The topics: their names, who consumes them under which group, and how many partitions they have."""

from collections.abc import Mapping
from types import MappingProxyType

PROMOTION_REQUESTED = "promotion.requested"
RULES_EVALUATED = "rules.evaluated"
PROMOTION_APPROVED = "promotion.approved"
DEPLOYMENT_COMPLETED = "deployment.completed"
TESTS_COMPLETED = "tests.completed"
METRICS_OBSERVED = "metrics.observed"
PROMOTION_CHANGED = "promotion.changed"

EVENT_TOPICS = (
    PROMOTION_REQUESTED,
    RULES_EVALUATED,
    PROMOTION_APPROVED,
    DEPLOYMENT_COMPLETED,
    TESTS_COMPLETED,
    METRICS_OBSERVED,
    PROMOTION_CHANGED,
)

# Which topics each service consumes; the group of a subscription is "<service>.<topic, dashed>".
CONSUMED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "promotion": (RULES_EVALUATED, DEPLOYMENT_COMPLETED),
        "rules": (PROMOTION_REQUESTED, DEPLOYMENT_COMPLETED, TESTS_COMPLETED, METRICS_OBSERVED),
        "executor": (PROMOTION_APPROVED,),
        "inventory": (DEPLOYMENT_COMPLETED,),
        "notifications": (PROMOTION_CHANGED,),
    }
)

DEFAULT_PARTITIONS = 12


def dead_letter_topic(topic: str) -> str:
    """Name the topic that takes the records of ``topic`` that could not be read."""
    return f"{topic}.dead"


def is_dead_letter_topic(topic: str) -> bool:
    """Tell whether ``topic`` takes what could not be read of another."""
    return topic.endswith(".dead")


def consumer_group(service: str, topic: str) -> str:
    """Name the consumer group of ``service`` on ``topic``: one group for each subscription."""
    return f"{service}.{topic.replace('.', '-')}"


def all_topics() -> tuple[str, ...]:
    """Name every topic that has to exist: the events' own and their dead-letter twins."""
    return EVENT_TOPICS + tuple(dead_letter_topic(topic) for topic in EVENT_TOPICS)
