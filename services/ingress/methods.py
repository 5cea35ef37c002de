"""Which methods a path knows, for 405 and OPTIONS."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Name the methods of every route of ``app`` that matches ``path``; HEAD goes where GET goes."""
    found: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path is not None and route.methods and compile_path(route.path)[0].match(path):
            found |= route.methods
    if not found:
        return []
    return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))
