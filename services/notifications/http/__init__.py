"""Webhooks over HTTP, for administrators of an organization; each call is one transaction of a command."""

from fastapi import APIRouter

from services.notifications.http import deliveries, webhooks
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.bodies import StrictRoute
from services.platform.messaging.outbox import Outbox
from services.platform.settings import Settings


def router(*, database: Database, outbox: Outbox, clock: Clock, settings: Settings) -> APIRouter:
    """Give the routes; nothing is emitted over HTTP, so ``outbox`` stays unused."""
    routes = APIRouter(route_class=StrictRoute, tags=["webhooks"])
    webhooks.add_routes(routes, database, clock, settings)
    deliveries.add_routes(routes, database, clock, settings)
    return routes
