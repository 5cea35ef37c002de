"""The OpenAPI document of the whole API, made from the routes and the models; only what is true."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.events import DATA_OF_TOPIC
from schemas.resources import Change, ProblemDocument
from services.ingress.links import add_links
from services.platform.http.problems import documented
from services.platform.outsiders import TAKEN

TITLE = "Environment promotion"
DESCRIPTION = (
    "Moves an agent's deployment from one environment to the next, under rules and approvals. Errors are "
    "`application/problem+json` (RFC 9457) with a stable `type`; lists are paged with `cursor`."
)
TAGS = [
    {"name": "promotions", "description": "Ask for a promotion, approve it, follow it."},
    {"name": "rules", "description": "What a hop from one environment to the next needs."},
    {"name": "deployments", "description": "What runs where."},
    {"name": "gateways", "description": "The runtimes that host agents."},
    {"name": "environments", "description": "The order in which deployments move."},
    {"name": "events", "description": "CloudEvents from services without Kafka."},
    {"name": "changes", "description": "What happens, as it happens."},
    {"name": "webhooks", "description": "Addresses that are told of changes, signed, and what was sent to them."},
    {"name": "dead letters", "description": "Records that could not be handled: look, send again, discard."},
    {"name": "operation", "description": "Health, metrics and the documents of this API."},
]
_REF = "#/components/schemas/{model}"


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Describe ``app``."""
    document = get_openapi(
        title=TITLE, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes, openapi_version="3.1.0"
    )
    _add_models(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path=path, method=method)
    add_links(document)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document


def _add_models(document: dict[str, Any]) -> None:
    models: list[type[BaseModel]] = [ProblemDocument, Change, *(DATA_OF_TOPIC[topic] for topic in TAKEN)]
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in definitions["$defs"].items():
        schemas.setdefault(name, schema)


def _complete(operation: dict[str, Any], *, path: str, method: str) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        responses["422"] = documented(422)[422]
    statuses = [503] if path.startswith("/api/") else []
    if "security" in operation:
        statuses += [401, 403, 422]
    if "requestBody" in operation:
        statuses += [400, 408, 413, 415]
    for status in statuses:
        responses.setdefault(str(status), documented(status)[status])
    operation["responses"] = dict(sorted(responses.items()))
