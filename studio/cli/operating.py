"""Commands for whoever runs the system: run, migrate, topics."""

from typing import Literal

from studio.cli.database import database_url
from studio.cli.output import note

ServiceName = Literal["ingress", "promotion", "rules", "executor", "inventory", "notifications"]


def run(service: ServiceName, /) -> None:
    """Run one service in the foreground, configured by the environment, until SIGTERM or Ctrl-C.

    Parameters
    ----------
    service
        The service.
    """
    import runpy

    runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)


def migrate() -> None:
    """Bring the database of DATABASE_URL up to date; several at once wait for one another."""
    from services.platform.migrate import migrate as apply

    apply(database_url(whose="the owner's"))
    note("the database is up to date")


def topics() -> None:
    """Create the topics that are missing at KAFKA_BOOTSTRAP_SERVERS; those that exist are left as they are.

    PROMOTION_KAFKA_PARTITIONS and PROMOTION_KAFKA_REPLICATION_FACTOR say how, as for the services.
    """
    from schemas.topics import all_topics
    from services.platform.messaging.kafka_security import librdkafka_security
    from services.platform.settings import load_settings
    from studio.local.kafka_admin import create_topics

    settings = load_settings()
    create_topics(
        settings.bootstrap_servers(),
        all_topics(),
        partitions=settings.kafka_partitions,
        replication_factor=settings.kafka_replication_factor,
        security=librdkafka_security(settings),
    )
    note("the topics are there")
