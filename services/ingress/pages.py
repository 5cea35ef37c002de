"""What is there without a key: health, metrics, and the documents of the API."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.ingress.asyncapi import asyncapi_document
from services.platform.service import Readiness

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:.95em}dt{margin-top:.8rem}dd{margin-left:1.5rem}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8cf}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


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

    @routes.get("/docs", response_class=HTMLResponse)
    async def docs() -> HTMLResponse:
        """Show what the API offers, for people."""
        return HTMLResponse(_page(app.openapi()), headers={"Content-Security-Policy": _PAGE_POLICY})

    return routes


def _page(document: dict[str, Any]) -> str:
    tags = document["tags"]
    sections = "".join(_section(tag, document["paths"]) for tag in tags)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(document["info"]["title"])}</title>'
        f"<style>{_STYLE}</style><h1>{escape(document['info']['title'])}</h1>"
        f"<p>{escape(document['info']['description'])}</p>"
        '<p>Whole documents: <a href="/openapi.json">OpenAPI</a>, <a href="/asyncapi">AsyncAPI</a>.</p>'
        f"{sections}</html>"
    )


def _section(tag: dict[str, str], paths: dict[str, Any]) -> str:
    entries = "".join(
        f"<dt><code>{method.upper()} {escape(path)}</code></dt><dd>{escape(operation.get('description', ''))}</dd>"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if tag["name"] in operation.get("tags", ())
    )
    return f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p><dl>{entries}</dl>" if entries else ""
