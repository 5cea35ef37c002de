"""The promotions' HTTP resources: creating, looking, commanding. Rules have their own, at /promotions/rules."""

from datetime import timedelta

from fastapi import APIRouter

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.bodies import StrictRoute
from services.platform.messaging.outbox import Outbox
from services.platform.settings import Settings
from services.promotion.http import audit, commands, creation, overviews, reading
from services.promotion.http.transactions import Transactions
from services.promotion.http.watch import Watch


def router(*, database: Database, outbox: Outbox, clock: Clock, settings: Settings) -> APIRouter:
    """Give the routes."""
    redrive_after = timedelta(seconds=settings.redrive_after_seconds)
    transactions = Transactions(database, outbox, clock, redrive_after)
    watch = Watch(database)
    routes = APIRouter(route_class=StrictRoute, tags=["promotions"])
    creation.add_routes(routes, transactions, watch)
    reading.add_routes(routes, database)
    overviews.add_routes(routes, database, clock)
    audit.add_routes(routes, database)
    commands.add_routes(routes, transactions, watch)
    return routes
