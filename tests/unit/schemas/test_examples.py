"""The examples that producers go by stay readable for as long as their version lives."""

import json
from pathlib import Path

import pytest

from schemas import topics
from schemas.cloudevents import decode, encode

EXAMPLES = sorted((Path(__file__).parents[3] / "docs" / "events").glob("*.json"))
INPUTS = {
    topics.PROMOTION_REQUESTED,
    topics.DEPLOYMENT_COMPLETED,
    topics.TESTS_COMPLETED,
    topics.METRICS_OBSERVED,
}


def topic_of(path: Path) -> str:
    return str(json.loads(path.read_text())["type"]).removeprefix("studio.").removesuffix(".v1")


def test_every_input_has_an_example() -> None:
    assert {topic_of(path) for path in EXAMPLES} == INPUTS


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_in_structured_mode_and_survives_binary_mode(path: Path) -> None:
    topic = topic_of(path)

    event = decode(
        topic=topic, key=None, headers=(("content-type", b"application/cloudevents+json"),), value=path.read_bytes()
    )

    record = encode(event)
    again = decode(topic=topic, key=None, headers=record.headers, value=record.value)
    assert (again.id, again.source, again.time, again.data) == (event.id, event.source, event.time, event.data)
