"""Apache Kafka's program: the Java that runs it, and its jars, fetched once by Maven and kept in a cache folder."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from studio.local.trouble import StartError

VERSION = "4.4.0"
_LOG4J_VERSION = "2.25.5"
_OLDEST_JAVA = 17
_POM = Path(__file__).with_name("apache_kafka_pom.xml")
_FETCH_SECONDS = 300


class NoApacheKafkaError(StartError):
    """Apache Kafka cannot be had on this machine; the message names what is missing."""


def default_cache_folder() -> Path:
    """The user's cache folder, after the XDG convention."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "environment-promotion"


def find_java() -> str:
    """Return the path of a Java that is new enough; JAVA_HOME goes before PATH. Raises NoApacheKafkaError."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise NoApacheKafkaError(
            f"Apache Kafka needs Java {_OLDEST_JAVA} or newer, and there is no `java` on the PATH"
            f"{f' or in JAVA_HOME ({home})' if home else ''}. Install one, or use the embedded broker."
        )
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    major = re.search(r'version "(\d+)', said)
    if major is None or int(major[1]) < _OLDEST_JAVA:
        raise NoApacheKafkaError(
            f"Apache Kafka needs Java {_OLDEST_JAVA} or newer, but {java} says {said.strip() or 'nothing'}. "
            f"Set JAVA_HOME to a newer one, or use the embedded broker."
        )
    return java


def resolve_jars(cache_folder: Path | None = None) -> str:
    """Return the classpath of Apache Kafka; the first call downloads 45 MB. Raises NoApacheKafkaError."""
    folder = (cache_folder or default_cache_folder()) / f"apache-kafka-{VERSION}"
    if not folder.exists():
        _fetch(folder)
    return str(folder / "*")


def _fetch(folder: Path) -> None:
    """Fill `folder`; it appears whole or not at all, also where two processes fetch at once."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NoApacheKafkaError(
            f"The jars of Apache Kafka {VERSION} are not in {folder.parent}, and there is no `mvn` on the PATH "
            f"to fetch them. Install Maven, or use the embedded broker."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _run_maven(maven, unfinished)
        if not folder.exists():
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run_maven(maven: str, target: Path) -> None:
    command = [
        *(maven, "--quiet", "--batch-mode", "--file", str(_POM)),
        *(f"-Dkafka.version={VERSION}", f"-Dlog4j.version={_LOG4J_VERSION}"),
        *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"),
    ]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NoApacheKafkaError(
            f"Maven did not fetch Apache Kafka {VERSION} within {_FETCH_SECONDS} s. Is its repository reachable?"
        ) from None
    if done.returncode != 0 or not any(target.glob("kafka_*.jar")):
        said = (done.stdout + done.stderr).strip()[:1500]
        raise NoApacheKafkaError(
            f"Maven could not fetch Apache Kafka {VERSION}. Is its repository reachable from here? It says:\n{said}"
        )
