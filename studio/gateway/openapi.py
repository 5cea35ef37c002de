"""The gateway contract as an OpenAPI document, for those who build a gateway of their own.

`python -m studio.gateway.openapi > docs/gateway.openapi.json` renews the kept copy; a test says when that is due.
"""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from studio.gateway import contract
from studio.gateway.contract import ProblemKind
from studio.gateway.faults import Script

Json = dict[str, Any]

_DESCRIPTION = """\
What a runtime that hosts agents offers to the executor. The key of every request is the promotion id, never an
attempt: a repeat carries the same key and a byte-identical body, so a request whose answer was lost can be sent again.

A slot is (organization, agent, this gateway). At most one deployment of a slot is live: the one that went live last
among those that are not fenced.

An answer is given only when what it says is durable. 201 and 200 mean done; 409, 410 and other 4xx mean refused, for
good, except 408 and 429, which mean try again; 5xx, a lost connection and a time-out mean unknown: look the key up.
"""
_PUT = """\
Makes the deployment live in its slot and retires the one that was live there, in one act. Putting the same content
again changes nothing, also when a later deployment has retired it meanwhile.
"""
_DELETE = """\
Fences the key, whether or not it has a deployment: from now on GET and PUT answer 410, for ever. Its deployment is
removed. If that one was live, the deployment beneath it in its slot becomes live again, so that a promotion which
failed leaves the slot as it found it. Idempotent.
"""
_FENCING = """\
The epoch of the lease under which the caller acts. A request whose token is lower than the highest that was seen for
the key is refused with 409 `stale_fencing_token`. A header, so that key and body of a repeat stay identical. Where it
is left out, nothing is compared.
"""


def openapi_document() -> Json:
    """The document, as JSON would hold it."""
    models = (
        contract.DeploymentRequest,
        contract.DeploymentResource,
        contract.DeploymentList,
        contract.Health,
        contract.Problem,
        Script,
    )
    _, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gateway contract", "version": "1.0.0", "description": _DESCRIPTION},
        "paths": {
            "/deployments": {"get": _list_operation()},
            "/deployments/{promotion_id}": {
                "parameters": [_key_parameter()],
                "put": _put_operation(),
                "get": _get_operation(),
                "delete": _delete_operation(),
            },
            "/healthz": {"get": _health_operation()},
            "/faults": _fault_operations(),
        },
        "components": {
            "schemas": schema["$defs"],
            "securitySchemes": {"credential": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"credential": []}, {}],
    }


def _put_operation() -> Json:
    return {
        "operationId": "put_deployment",
        "summary": "Make a deployment live",
        "description": _PUT,
        "parameters": [_token_parameter(), _traceparent_parameter()],
        "requestBody": {"required": True, "content": _json_content("DeploymentRequest")},
        "responses": {
            "201": _shown("It is live now, and the earlier one is retired", "DeploymentResource"),
            "200": _shown("It exists with this content; it may be retired", "DeploymentResource"),
            **_problems(
                contract.UNAUTHENTICATED,
                contract.CONTENT_MISMATCH,
                contract.STALE_FENCING_TOKEN,
                contract.FENCED,
                contract.BODY_TOO_LARGE,
                contract.UNSUPPORTED_MEDIA_TYPE,
                contract.MALFORMED_KEY,
                contract.MALFORMED_BODY,
                contract.MALFORMED_FENCING_TOKEN,
                contract.WRONG_GATEWAY,
            ),
        },
    }


def _get_operation() -> Json:
    return {
        "operationId": "get_deployment",
        "summary": "Look a key up",
        "parameters": [_traceparent_parameter()],
        "responses": {
            "200": _shown("The deployment", "DeploymentResource"),
            **_problems(contract.UNAUTHENTICATED, contract.UNKNOWN_KEY, contract.FENCED, contract.MALFORMED_KEY),
        },
    }


def _delete_operation() -> Json:
    return {
        "operationId": "fence_deployment",
        "summary": "Fence a key",
        "description": _DELETE,
        "parameters": [_token_parameter(), _traceparent_parameter()],
        "responses": {
            "204": {"description": "Fenced"},
            **_problems(
                contract.UNAUTHENTICATED,
                contract.STALE_FENCING_TOKEN,
                contract.MALFORMED_KEY,
                contract.MALFORMED_FENCING_TOKEN,
            ),
        },
    }


def _list_operation() -> Json:
    names = ("organization_id", "agent_id", "cursor")
    parameters = [_query(name, {"type": "string"}) for name in names]
    parameters.append(_query("status", {"enum": ["live", "retired"]}))
    parameters.append(_query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}))
    return {
        "operationId": "list_deployments",
        "summary": "List deployments, oldest first",
        "parameters": parameters,
        "responses": {
            "200": _shown("A page", "DeploymentList"),
            **_problems(contract.UNAUTHENTICATED, contract.MALFORMED_QUERY),
        },
    }


def _health_operation() -> Json:
    return {
        "operationId": "health",
        "summary": "Whether it answers, and which gateway it is",
        "security": [],
        "responses": {"200": _shown("It does", "Health")},
    }


def _fault_operations() -> Json:
    scripted = {"type": "object", "description": "The script, and how often each rule was `applied`"}
    shown = {"description": "The script", "content": {"application/json": {"schema": scripted}}}
    refused = (contract.UNAUTHENTICATED, contract.FAULTS_NOT_ALLOWED)
    return {
        "description": "Of the reference gateway alone, when started with --allow-faults.",
        "get": {"operationId": "get_faults", "responses": {"200": shown, **_problems(*refused)}},
        "put": {
            "operationId": "put_faults",
            "requestBody": {"required": True, "content": _json_content("Script")},
            "responses": {
                "200": shown,
                **_problems(
                    *refused,
                    contract.BODY_TOO_LARGE,
                    contract.UNSUPPORTED_MEDIA_TYPE,
                    contract.MALFORMED_BODY,
                ),
            },
        },
        "delete": {
            "operationId": "delete_faults",
            "responses": {"204": {"description": "Honest again"}, **_problems(*refused)},
        },
    }


def _key_parameter() -> Json:
    return {
        "name": "promotion_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": contract.KEY_PATTERN},
    }


def _token_parameter() -> Json:
    return {
        "name": "Fencing-Token",
        "in": "header",
        "description": _FENCING,
        "schema": {"type": "integer", "minimum": 0, "maximum": contract.MAX_FENCING_TOKEN},
    }


def _traceparent_parameter() -> Json:
    return {"name": "traceparent", "in": "header", "schema": {"type": "string"}, "description": "W3C trace context"}


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def _json_content(model: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}


def _shown(description: str, model: str) -> Json:
    return {"description": description, "content": _json_content(model)}


def _problems(*kinds: ProblemKind) -> Json:
    """One answer for each status, its codes named; several codes may share a status."""
    by_status: dict[str, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(str(kind.status), []).append(f"`{kind.code}`: {kind.title}")
    return {
        status: {
            "description": "; ".join(described),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, described in by_status.items()
    }


if __name__ == "__main__":
    print(json.dumps(openapi_document(), indent=2))
