"""Wires the HTTP door: one application over every service's resources, each with its own database role and outbox."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy import text
from starlette.exceptions import HTTPException

from services.ingress import dead_letters, events, pages, reports, stream
from services.ingress.door import ANSWER_SECONDS, Door
from services.ingress.feeds import Feeds
from services.ingress.letter_retention import let_go_of_letters
from services.ingress.methods import allowed_methods
from services.ingress.openapi import openapi_document
from services.ingress.pressure import Gauge, LookAround, Room
from services.ingress.server import Ingress
from services.inventory import http as inventory
from services.notifications import http as notifications
from services.platform.clock import Clock, utc_now
from services.platform.credentials import credentials_of, sign_in_of
from services.platform.database import Database
from services.platform.http import problems
from services.platform.http.limits import RateLimitHeaders, limits_of
from services.platform.identity import KeyRing
from services.platform.messaging.moving import follow
from services.platform.messaging.outbox import Outbox, Relay, Wake
from services.platform.messaging.producer import publisher_for
from services.platform.reports import Reporter
from services.platform.schema_state import role_of
from services.platform.service import Readiness
from services.platform.settings import Settings
from services.promotion import http as promotion
from services.rules import http as rules
from studio.console.app import console_router

NAME = "ingress"
VERSION = "1.0.0"
PREFIX = "/api/v1"
# The rules come before the promotions, for /promotions/rules is also a /promotions/{id}.
_ROUTERS: dict[str, Callable[..., APIRouter]] = {
    "rules": rules.router,
    "promotion": promotion.router,
    "inventory": inventory.router,
    "notifications": notifications.router,
}
# A statement that takes longer is an answer in time, not a wait.
STATEMENT_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Side:
    """What the ingress needs to write for one service: its database role and its outbox."""

    database: Database
    outbox: Outbox


def build_service(settings: Settings, clock: Clock = utc_now, *, answer_seconds: float = ANSWER_SECONDS) -> Ingress:
    """Give the ingress as something that runs until it is told to stop."""
    return Ingress(build_app(settings, clock, answer_seconds=answer_seconds), settings)


def build_app(settings: Settings, clock: Clock = utc_now, *, answer_seconds: float = ANSWER_SECONDS) -> FastAPI:
    """Give the application; its lifespan holds connections and background tasks."""
    sides = {name: _side(settings, name) for name in (*_ROUTERS, NAME)}
    # Whose a key is has to be known before its organization is.
    identities = _database(settings, "platform", every_organization=True)
    feeds = Feeds(sides[NAME].database)
    relay = Relay(
        settings.database_url.get_secret_value(),
        sides[NAME].outbox,
        publisher_for(settings, NAME),
        role=role_of(NAME),
    )

    async def trouble() -> tuple[str, ...]:
        return (await _readiness(identities)).trouble

    async def lag() -> dict[str, int]:
        return {}

    # The others' relays run in their processes.
    wakes = [Wake(sides[name].database, sides[name].outbox) for name in _ROUTERS]
    reporter = Reporter(NAME, settings.instance, NAME, sides[NAME].database, trouble, lag, clock)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [
            follow(settings, relay.run),
            feeds.run(),
            reporter.run(),
            let_go_of_letters(identities, clock, kept=timedelta(days=settings.dead_letters_kept_days)),
            *(wake.run() for wake in wakes),
        ]
        tasks = [asyncio.create_task(work) for work in running]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for database in (identities, *(side.database for side in sides.values())):
            await database.close()

    app = FastAPI(
        title="Environment promotion",
        version=VERSION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.key_ring = KeyRing(identities, settings.key_pepper.get_secret_value(), clock)
    app.state.credentials = credentials_of(settings, app.state.key_ring, clock)
    app.state.sign_in = sign_in_of(settings, clock)
    app.state.sign_in_lifetime = timedelta(seconds=settings.oidc_session_seconds)
    app.state.limits = limits_of(
        principal_per_second=settings.principal_requests_per_second,
        organization_per_second=settings.organization_requests_per_second,
    )
    app.state.pressure = _gauge(settings, sides, identities, clock)
    app.state.feeds = feeds
    app.state.readiness = lambda: _readiness(identities)
    _mount(app, sides, settings, clock)
    _describe(app)
    problems.install(app)
    _answer_options(app)
    app.add_middleware(RateLimitHeaders)
    app.add_middleware(Door, answer_seconds=answer_seconds)
    return app


def _mount(app: FastAPI, sides: dict[str, Side], settings: Settings, clock: Clock) -> None:
    for name, router in _ROUTERS.items():
        side = sides[name]
        routes = router(database=side.database, outbox=side.outbox, clock=clock, settings=settings)
        app.include_router(routes, prefix=PREFIX)
    own = sides[NAME]
    app.include_router(events.router(database=own.database, outbox=own.outbox, clock=clock), prefix=PREFIX)
    app.include_router(
        dead_letters.router(database=app.state.key_ring.database, outbox=own.outbox, clock=clock),
        prefix=PREFIX,
    )
    app.include_router(stream.router(app.state.feeds), prefix=PREFIX)
    app.include_router(reports.router(), prefix=PREFIX)
    app.include_router(pages.router(app, app.state.readiness))
    app.include_router(console_router())


def _describe(app: FastAPI) -> None:
    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _answer_options(app: FastAPI) -> None:
    @app.exception_handler(405)
    async def on_wrong_method(request: Request, _error: HTTPException) -> Response:
        methods = ", ".join(allowed_methods(app, request.url.path))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": methods})
        detail = f"{request.method[:40]} is not for this path; it takes {methods}"
        answer: JSONResponse = problems.Problem(
            405, "method_not_allowed", detail, headers={"Allow": methods}
        ).response()
        return answer


def _database(settings: Settings, schema: str, *, every_organization: bool = False) -> Database:
    return Database(
        settings.database_url.get_secret_value(),
        role=role_of(schema),
        application_name=f"{NAME}-{schema}",
        pool_size=settings.database_pool_size,
        command_timeout_seconds=STATEMENT_SECONDS,
        every_organization=every_organization,
    )


def _gauge(settings: Settings, sides: dict[str, Side], reports: Database, clock: Clock) -> Gauge:
    limit = settings.outbox_limit()
    room = Room(limit, settings.lag_limit(), consumers_must_report=settings.embedded)
    filled = {name: sides[name].database for name in ("promotion", NAME)}
    return Gauge(LookAround(filled, reports, clock, exact_from=limit), room)


def _side(settings: Settings, schema: str) -> Side:
    return Side(_database(settings, schema), Outbox(schema))


async def _readiness(database: Database) -> Readiness:
    # Kafka is no part of it: what is accepted meanwhile waits in PostgreSQL.
    try:
        async with database.begin() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what keeps us from being ready
        return Readiness((f"database: {type(error).__name__}",))
    return Readiness()


def _operation_id(route: APIRoute) -> str:
    return route.name
