"""What every test may ask for; the fixtures themselves live in `tests/fixtures`."""

import pytest

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.kafka"]

_MARKER = "apache_kafka: needs a real Apache Kafka; runs with --kafka=apache"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        choices=("embedded", "apache"),
        default="embedded",
        help="the broker under the tests: the embedded one (default), or a real Apache Kafka",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", "browser: needs Chromium; skipped where there is none, unless REQUIRE_BROWSER=1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--kafka") == "apache":
        return
    for item in items:
        if item.get_closest_marker("apache_kafka"):
            item.add_marker(pytest.mark.skip(reason="needs Apache Kafka: run with --kafka=apache"))
