"""Without Java, Maven or a network the message names what is missing."""

import os
import stat
from pathlib import Path

import pytest

from studio.local.apache_kafka_jars import VERSION, NoApacheKafkaError, find_java, resolve_jars


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of which the test is master."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.fspath(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def install(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)


def test_no_java_is_named(programs: Path) -> None:
    with pytest.raises(NoApacheKafkaError, match=r"no `java` on the PATH"):
        find_java()


def test_a_java_too_old_is_named_with_its_version(programs: Path) -> None:
    install(programs, "java", """echo 'openjdk version "11.0.2"' >&2""")

    with pytest.raises(NoApacheKafkaError, match=r"Java 17 or newer, but .*11\.0\.2"):
        find_java()


def test_java_home_goes_before_the_path(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "bin"
    home.mkdir(parents=True)
    install(home, "java", """echo 'openjdk version "21.0.1"' >&2""")
    monkeypatch.setenv("JAVA_HOME", os.fspath(home.parent))

    assert find_java() == str(home / "java")


def test_no_maven_is_named(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(NoApacheKafkaError, match=r"no `mvn` on the PATH"):
        resolve_jars(tmp_path / "cache")


def test_a_failing_download_is_reported_in_mavens_words_and_leaves_no_cache(programs: Path, tmp_path: Path) -> None:
    install(programs, "mvn", "echo 'Unknown host'; exit 1")

    with pytest.raises(NoApacheKafkaError, match="Unknown host"):
        resolve_jars(tmp_path / "cache")

    assert list((tmp_path / "cache").iterdir()) == []


def test_jars_fetched_once_are_not_fetched_again(programs: Path, tmp_path: Path) -> None:
    kept = tmp_path / f"apache-kafka-{VERSION}"
    kept.mkdir()

    assert resolve_jars(tmp_path) == f"{kept}/*"
