"""The rules service's HTTP resources: rules, and what explains them. Each call is one transaction of a handler."""

from fastapi import APIRouter

from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.bodies import StrictRoute
from services.platform.messaging.outbox import Outbox
from services.platform.settings import Settings
from services.rules.http.explanations import add_explanation_routes
from services.rules.http.publishers import add_publisher_routes
from services.rules.http.rules import add_rule_routes
from services.rules.http.versions import add_version_routes


def router(*, database: Database, outbox: Outbox, clock: Clock, settings: Settings) -> APIRouter:
    """Give the routes; nothing here writes to the outbox, so ``outbox`` and ``settings`` stay unused."""
    routes = APIRouter(route_class=StrictRoute)
    add_rule_routes(routes, database, clock)
    add_version_routes(routes, database)
    add_explanation_routes(routes, database, clock)
    add_publisher_routes(routes, database, clock)
    return routes
