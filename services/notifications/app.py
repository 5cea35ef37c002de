"""Puts notifications together from settings."""

import random
from datetime import timedelta

from services.notifications.consumer import subscriptions
from services.notifications.sender import Sender
from services.notifications.upkeep import Upkeep
from services.notifications.worker import Worker
from services.platform.clock import Clock, utc_now
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.platform.outward import WEBHOOK_NETWORKS, read_networks
from services.platform.schema_state import role_of
from services.platform.service import Loop, Service
from services.platform.settings import Settings
from services.platform.vault import vault_of

NAME = "notifications"


def build_service(settings: Settings, clock: Clock = utc_now) -> Service:
    """Make notifications as ``settings`` say."""
    database = Database(
        settings.database_url.get_secret_value(),
        role=role_of(NAME),
        application_name=NAME,
        pool_size=settings.database_pool_size,
        every_organization=True,
    )
    deadline = timedelta(seconds=settings.webhook_deadline_seconds)
    sender = Sender(
        timeout_seconds=settings.webhook_timeout_seconds,
        vault=vault_of(settings),
        allowed=read_networks(settings.webhook_allowed_networks, setting=WEBHOOK_NETWORKS),
    )
    worker = Worker(
        database=database,
        sender=sender,
        clock=clock,
        jitter=random.random,
        attempt_time=timedelta(seconds=settings.webhook_timeout_seconds),
    )
    upkeep = Upkeep(database=database, clock=clock, deadline=deadline)
    return Service(
        NAME,
        settings=settings,
        subscriptions=subscriptions(deadline=deadline),
        loops=(
            Loop("deliveries", worker.round, worker.wake, drain=worker.drain),
            Loop("what Kafka did not bring", upkeep.catch_up, after_batches=False),
            Loop("sweeping", upkeep.sweep, after_batches=False),
        ),
        database=database,
        outbox=Outbox(NAME),
        clock=clock,
    )
