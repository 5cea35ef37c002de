"""KAFKA_TRUST=broker on a real Apache Kafka with SASL and access lists: who may write where is the broker's to say."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.cloudevents import encode
from schemas.events import Event, TestsCompleted
from services.platform.database import Database
from services.platform.messaging.consumer import Consumers, Subscription
from services.platform.messaging.kafka_security import aiokafka_security
from services.platform.messaging.outbox import Outbox
from services.platform.messaging.producer import PublishFailed, publisher_for
from services.platform.settings import Settings, load_settings
from studio.local.apache_kafka import ApacheKafka
from studio.local.kafka_admin import create_topics
from studio.local.ports import claim_port
from studio.local.trouble import StartError
from tests.fixtures.kafka import unavailable

pytestmark = pytest.mark.apache_kafka
# As docs/security.md lists them: what each name may write, and of which it may read everything.
WRITES = {"ci": (topics.TESTS_COMPLETED,), "rules": (topics.RULES_EVALUATED, topics.PROMOTION_REQUESTED)}
READS = {"rules": (topics.TESTS_COMPLETED,)}


class GuardedKafka(ApacheKafka):
    """An Apache Kafka with one more listener, for known names alone; the plain one stays the administrator's."""

    guarded_port = 0

    def _prepare(self, node: Any, *, java: str, classpath: str) -> None:
        super()._prepare(node, java=java, classpath=classpath)
        self.guarded_port = self.guarded_port or claim_port(None, server="the guarded listener")
        settings = node.settings_file.read_text()
        guarded = f"SASL_PLAINTEXT://127.0.0.1:{self.guarded_port}"
        users = " ".join(f'user_{name}="{name}-password"' for name in ("ci", "rules"))
        lines = []
        for line in settings.splitlines():
            key, _, value = line.partition("=")
            if key in {"listeners", "advertised.listeners"}:
                value = f"{value},{guarded}"
            if key == "listener.security.protocol.map":
                value = f"{value},SASL_PLAINTEXT:SASL_PLAINTEXT"
            lines.append(f"{key}={value}")
        lines += [
            "sasl.enabled.mechanisms=PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain."
            f"PlainLoginModule required {users};",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
        ]
        node.settings_file.write_text("\n".join(lines) + "\n")


@dataclass
class Guarded:
    bootstrap: str
    database: str

    def settings(self, name: str, password: str | None = None) -> Settings:
        return load_settings(
            {
                "DATABASE_URL": self.database,
                "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
                "PROMOTION_KEY_PEPPER": "p" * 32,
                "PROMOTION_KAFKA_USERNAME": name,
                "PROMOTION_KAFKA_PASSWORD": password or f"{name}-password",
                "PROMOTION_KAFKA_SASL_MECHANISM": "PLAIN",
            }
        )


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    started = GuardedKafka(Path(tmp_path_factory.mktemp("guarded-kafka")))
    try:
        started.start()
    except StartError as reason:
        unavailable(f"no Apache Kafka of its own: {reason}")
    create_topics(started.bootstrap, topics.all_topics(), partitions=1)
    _allow(started.bootstrap)
    yield started
    started.stop()


def _allow(bootstrap: str) -> None:
    topic, group = ResourceType.TOPIC, ResourceType.GROUP
    rows = [(name, topic, one, AclOperation.WRITE) for name, written in WRITES.items() for one in written]
    rows += [(name, topic, one, AclOperation.READ) for name, read in READS.items() for one in read]
    rows += [(name, group, f"{name}.", AclOperation.READ) for name in READS]
    bindings = [
        AclBinding(
            kind, resource, ResourcePatternType.PREFIXED if kind is group else ResourcePatternType.LITERAL,
            f"User:{name}", "*", operation, AclPermissionType.ALLOW,
        )
        for name, kind, resource, operation in rows
    ]  # fmt: skip
    client = AdminClient({"bootstrap.servers": bootstrap})
    for answer in client.create_acls(bindings).values():
        answer.result(30)


@pytest.fixture
def guarded(kafka: GuardedKafka, database: str) -> Guarded:
    return Guarded(f"127.0.0.1:{kafka.guarded_port}", database)


def result(identifier: str) -> Event:
    data = TestsCompleted(organization_id="acme", deployment_id="d", suite="s", run_id="r", outcome="success")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(topics.TESTS_COMPLETED, "d", identifier, "/ci", "", now, data)


async def test_what_a_name_may_write_arrives_at_who_may_read_it(guarded: Guarded) -> None:
    seen: list[str] = []

    async def apply(_connection: AsyncConnection, events: Sequence[Event], _now: datetime) -> None:
        seen.extend(event.id for event in events)

    publisher = publisher_for(guarded.settings("ci"), "ci")
    pool = Database(guarded.database, role=None, application_name="access")
    settings = guarded.settings("rules")
    consumers = Consumers(
        [Subscription(topics.TESTS_COMPLETED, apply)], service="rules", settings=settings, database=pool,
        outbox=Outbox("rules"), clock=lambda: datetime.now(UTC), committed=lambda: None,
    )  # fmt: skip
    await publisher.publish([encode(result("1"))])
    await consumers.start()
    async with asyncio.timeout(30):
        while seen != ["1"]:
            await asyncio.sleep(0.05)
    await consumers.stop()
    await publisher.close()
    await pool.close()


@pytest.mark.parametrize("topic", [topics.RULES_EVALUATED, topics.PROMOTION_APPROVED, topics.DEPLOYMENT_COMPLETED])
async def test_nobody_writes_where_they_may_not(guarded: Guarded, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=guarded.bootstrap, **aiokafka_security(guarded.settings("ci")))
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await asyncio.wait_for(producer.send_and_wait(topic, b"{}"), 20)
    finally:
        await producer.stop()


async def test_a_wrong_password_writes_nothing(guarded: Guarded) -> None:
    publisher = publisher_for(guarded.settings("ci", "guessed"), "ci")

    with pytest.raises(PublishFailed):
        await publisher.publish([encode(result("2"))])
    await publisher.close()


async def test_whoever_does_not_say_who_they_are_writes_nothing(guarded: Guarded) -> None:
    settings = load_settings(
        {
            "DATABASE_URL": guarded.database,
            "KAFKA_BOOTSTRAP_SERVERS": guarded.bootstrap,
            "PROMOTION_KEY_PEPPER": "p" * 32,
        }
    )
    publisher = publisher_for(settings, "anybody")

    with pytest.raises(PublishFailed):
        await publisher.publish([encode(result("3"))])
    await publisher.close()
