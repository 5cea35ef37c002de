"""Whose facts count: the closest entry says, and where none is, everybody's."""

import pytest

from services.rules.domain.publishers import Publishers

SAID = Publishers.named(
    {"tests.*": ["CI-bot"], "tests.pass_rate": ["qa"], "metrics.*": [], "custom.load.*": ["bench"], "*": ["ops"]}
)


@pytest.mark.parametrize(
    ("path", "publisher", "believed"),
    [
        ("tests.failed", "ci-bot", True),
        ("tests.failed", "CI-BOT", True),
        ("tests.failed", "qa", False),
        ("tests.failed", None, False),
        ("tests.pass_rate", "qa", True),
        ("tests.pass_rate", "ci-bot", False),
        ("metrics.error_rate", "ci-bot", False),
        ("metrics.error_rate", None, False),
        ("custom.load.p95", "bench", True),
        ("custom.load.p95", "ops", False),
        ("custom.other", "ops", True),
        ("deployment.version", "ops", True),
        ("deployment.version", None, False),
    ],
)
def test_the_closest_entry_says_whose_facts_count(path: str, publisher: str | None, believed: bool) -> None:
    assert SAID.believes(path, publisher) is believed


@pytest.mark.parametrize("publisher", ["anyone", None])
def test_where_nothing_is_said_everybody_is_believed(publisher: str | None) -> None:
    assert Publishers().believes("tests.failed", publisher)
    assert Publishers.named({"metrics.*": ["prometheus"]}).believes("tests.failed", publisher)
