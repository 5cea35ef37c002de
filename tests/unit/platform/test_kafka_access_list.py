"""The access list of the secured composition lets each service do its work, and nothing of another's."""

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import topics
from services.platform.settings import load_settings

ROOT = Path(__file__).parents[3]
# Who says what, where nobody else may.
SPEAKERS = {
    topics.RULES_EVALUATED: {"rules", "ingress"},
    topics.PROMOTION_APPROVED: {"promotion", "ingress"},
    topics.PROMOTION_CHANGED: {"promotion", "ingress"},
    topics.PROMOTION_REQUESTED: {"promotion", "rules", "ingress"},
    topics.DEPLOYMENT_COMPLETED: {"executor", "ingress", "ci"},
    topics.TESTS_COMPLETED: {"ingress", "ci"},
    topics.METRICS_OBSERVED: {"ingress", "ci"},
}


@pytest.fixture(scope="module")
def allowed() -> dict[tuple[str, str], set[str]]:
    """What the script asks for: (operation, topic or group) → names."""
    done = subprocess.run(
        ["sh", str(ROOT / "deploy" / "kafka-access.sh"), "kafka:9092"],
        env=os.environ | {"KAFKA_ACLS": "echo"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in done.stdout.splitlines():
        match = re.search(r"User:(\w+) --operation (\w+) --(?:topic|group) (\S+)", line)
        assert match is not None, line
        found[match[2], match[3]].add(match[1])
    return found


@pytest.mark.parametrize("topic", topics.EVENT_TOPICS)
def test_a_topic_is_written_by_those_who_have_something_to_say(
    allowed: dict[tuple[str, str], set[str]], topic: str
) -> None:
    assert allowed["Write", topic] == SPEAKERS[topic]


@pytest.mark.parametrize("service", topics.CONSUMED_BY)
def test_a_service_reads_and_parks_what_it_consumes(allowed: dict[tuple[str, str], set[str]], service: str) -> None:
    for topic in topics.CONSUMED_BY[service]:
        assert service in allowed["Read", topic]
        assert service in allowed["Write", topics.dead_letter_topic(topic)]
        assert topics.consumer_group(service, topic).startswith(f"{service}.")
    assert allowed["Read", f"{service}."] == {service}


def test_nobody_else_reads(allowed: dict[tuple[str, str], set[str]]) -> None:
    readers = {name for (operation, _), names in allowed.items() if operation == "Read" for name in names}

    assert readers == set(topics.CONSUMED_BY)


@pytest.mark.parametrize("service", ["ingress", *topics.CONSUMED_BY])
def test_each_service_comes_under_its_own_name(service: str) -> None:
    over: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.secured.yml").read_text())["services"]
    given = {"DATABASE_URL": "postgresql://x", "PROMOTION_KEY_PEPPER": "p" * 16}

    settings = load_settings(over[service]["environment"] | given)

    assert (settings.kafka_username, settings.kafka_security_protocol()) == (service, "SASL_PLAINTEXT")
    assert f'user_{service}="' in str(over["kafka"]["environment"])
