"""The compose file and the image: what they name exists, and what they configure is taken."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.platform.settings import load_settings
from studio.cli.app import app
from studio.local.apache_kafka_jars import VERSION
from studio.local.members import SERVICES

ROOT = Path(__file__).parents[3]
GIVEN = {
    "POSTGRES_PASSWORD": "secret",
    "PROMOTION_KEY_PEPPER": "p" * 32,
    "PROMOTION_CREDENTIAL_KEYS": base64.b64encode(bytes(32)).decode(),
}
JOBS = ("migrate", "topics")


def interpolate(text: str) -> str:
    return re.sub(r"\$\{(\w+)(?::[?-]([^}]*))?\}", lambda match: GIVEN.get(match[1], match[2] or ""), text)


@pytest.fixture(scope="module")
def containers() -> dict[str, Any]:
    composed: dict[str, Any] = yaml.safe_load(interpolate((ROOT / "docker-compose.yml").read_text()))
    services: dict[str, Any] = composed["services"]
    return services


def test_every_service_has_a_container_and_nothing_else_runs_unasked(containers: dict[str, Any]) -> None:
    unasked = {name for name, container in containers.items() if "profiles" not in container}

    assert unasked == {"postgres", "kafka", *JOBS, *SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_a_services_container_runs_it_with_settings_that_it_takes(containers: dict[str, Any], name: str) -> None:
    container = containers[name]

    settings = load_settings(container["environment"])

    assert container["command"] == ["run", name]
    assert settings.kafka_flavour == "apache"
    assert f":{settings.health_port}/readyz" in " ".join(container["healthcheck"]["test"])


@pytest.mark.parametrize("name", [*SERVICES, *JOBS])
def test_a_container_calls_a_command_that_exists(containers: dict[str, Any], name: str) -> None:
    assert containers[name]["command"][0] in app


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_after_the_jobs_that_prepare_for_it(containers: dict[str, Any], name: str) -> None:
    assert set(containers[name]["depends_on"]) == set(JOBS)


@pytest.mark.parametrize("name", ["postgres", "kafka", *SERVICES])
def test_what_runs_on_says_whether_it_is_healthy(containers: dict[str, Any], name: str) -> None:
    assert containers[name]["healthcheck"]["test"][0] == "CMD"


def test_the_servers_are_of_the_versions_that_tests_run_on(containers: dict[str, Any]) -> None:
    assert containers["postgres"]["image"] == "postgres:18"
    assert containers["kafka"]["image"] == f"apache/kafka:{VERSION}"


def test_a_secret_that_is_not_given_stops_compose() -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    assert all(f"${{{name}:?" in text for name in GIVEN)


def test_the_image_copies_what_there_is_and_the_build_may_see_it() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    seen = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    names = {name for line in copied for name in line.split()}
    assert names <= seen
    assert all((ROOT / name).exists() for name in names)
