"""The kind of router that every page's file makes: console routes, none of them part of the API's description."""

from fastapi import APIRouter

from studio.console.visits import ConsoleRoute


def page_routes() -> APIRouter:
    """Give a router for pages."""
    return APIRouter(route_class=ConsoleRoute, include_in_schema=False)
