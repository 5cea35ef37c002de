"""What is there without a key: health, metrics, and the documents of the API."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.ingress.asyncapi import asyncapi_document
from services.platform.service import Readiness


def router(app: FastAPI, readiness: Callable[[], Awaitable[Readiness]]) -> APIRouter:
    """Give the routes."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process is alive."""
        return {"status": "alive"}

    @routes.get("/readyz", responses={503: {"description": "Not ready; `trouble` says why."}})
    async def readyz() -> JSONResponse:
        """Say whether requests can be served now."""
        state = await readiness()
        body = {"status": "ready" if state.ready else "not ready", "trouble": list(state.trouble)}
        return JSONResponse(body, 200 if state.ready else 503)

    @routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Give Prometheus metrics; no label names an organization."""
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @routes.get("/openapi.json")
    async def openapi() -> dict[str, Any]:
        """Give the OpenAPI document."""
        return app.openapi()

    @routes.get("/asyncapi")
    async def asyncapi() -> dict[str, Any]:
        """Give the AsyncAPI document of the topics."""
        return asyncapi_document()

    return routes
