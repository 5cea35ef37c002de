"""Wires inventory's process together."""

from services.inventory.consumer import SUBSCRIPTIONS
from services.platform.clock import Clock, utc_now
from services.platform.database import Database
from services.platform.messaging.outbox import Outbox
from services.platform.schema_state import role_of
from services.platform.service import Service
from services.platform.settings import Settings

NAME = "inventory"


def build_service(settings: Settings, clock: Clock = utc_now) -> Service:
    """Give the service that keeps what runs where."""
    database = Database(
        settings.database_url.get_secret_value(),
        role=role_of(NAME),
        application_name=NAME,
        pool_size=settings.database_pool_size,
        every_organization=True,
    )
    return Service(
        NAME, settings=settings, subscriptions=SUBSCRIPTIONS, database=database, outbox=Outbox(NAME), clock=clock
    )
