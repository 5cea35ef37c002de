"""Puts the pages together for the ingress, which serves them beside the API that they call."""

from fastapi import APIRouter

from studio.console.pages import (
    agent,
    audit,
    board,
    changes,
    charts,
    dead_letters,
    health,
    inbox,
    promotion,
    reference,
    rules,
    sign_in,
    webhooks,
)

_PAGES = (
    sign_in,
    board,
    inbox,
    promotion,
    agent,
    rules,
    charts,
    audit,
    webhooks,
    dead_letters,
    health,
    reference,
    changes,
)


def console_router() -> APIRouter:
    """Give the routes of every page, to be included last and without a prefix.

    The application keeps its KeyRing in ``app.state.key_ring`` and answers the API under ``/api/v1``; the pages call
    that application itself.
    """
    routes = APIRouter()
    for page in _PAGES:
        routes.include_router(page.routes)
    return routes
