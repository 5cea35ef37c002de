"""Puts the executor together from settings."""

import random
from datetime import timedelta

from services.executor.consumer import subscriptions
from services.executor.gateways import GatewayClient
from services.executor.upkeep import Upkeep
from services.executor.worker import Worker
from services.platform.clock import Clock, utc_now
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.platform.outward import read_networks
from services.platform.schema_state import role_of
from services.platform.service import Loop, Service
from services.platform.settings import Settings
from services.platform.vault import vault_of

NAME = "executor"


def build_service(settings: Settings, clock: Clock = utc_now) -> Service:
    """Make the executor as ``settings`` say."""
    outbox = Outbox(NAME)
    database = Database(
        settings.database_url.get_secret_value(),
        role=role_of(NAME),
        application_name=NAME,
        pool_size=settings.database_pool_size,
        every_organization=True,
    )
    client = GatewayClient(
        timeout_seconds=settings.gateway_timeout_seconds,
        vault=vault_of(settings),
        allowed=read_networks(settings.gateway_allowed_networks),
    )
    announce_after = timedelta(seconds=settings.redrive_after_seconds)
    worker = Worker(
        database=database,
        outbox=outbox,
        client=client,
        clock=clock,
        jitter=random.random,
        announce_after=announce_after,
    )
    upkeep = Upkeep(
        database=database,
        outbox=outbox,
        client=client,
        clock=clock,
        jitter=random.random,
        announce_after=announce_after,
        gateway_timeout=timedelta(seconds=settings.gateway_timeout_seconds),
        kept=timedelta(days=settings.executions_kept_days),
    )

    async def observe() -> float:
        worker.observe()
        return 1.0

    return Service(
        NAME,
        settings=settings,
        subscriptions=subscriptions(outbox=outbox, deadline=timedelta(seconds=settings.execution_deadline_seconds)),
        loops=(
            Loop("executions", worker.round, worker.wake, drain=worker.drain),
            Loop("deadlines", upkeep.give_up, after_batches=False),
            Loop("announcements", upkeep.announce, after_batches=False),
            Loop("orphans", upkeep.fence_orphans, after_batches=False),
            Loop("gauges", observe, after_batches=False),
            Loop("retention", upkeep.forget, after_batches=False),
        ),
        database=database,
        outbox=outbox,
        clock=clock,
    )
