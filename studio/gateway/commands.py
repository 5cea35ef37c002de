"""Turns a request to /deployments into a command, or into the problem that says what is wrong. Pure."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs

from pydantic import ValidationError

from studio.gateway import contract
from studio.gateway.messages import Answer, Request, problem
from studio.gateway.state import Content

_KEY = re.compile(contract.KEY_PATTERN)
_TOKEN = re.compile(r"[0-9]{1,19}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_LIST_PARAMETERS = ("organization_id", "agent_id", "status", "limit", "cursor")
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Make this content live under this key."""

    key: str
    content: Content
    token: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """Look the key up."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Fence the key."""

    key: str
    token: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """Show deployments that match, after the one named by the cursor."""

    organization_id: str | None
    agent_id: str | None
    status: str | None
    limit: int
    cursor: str | None


KeyCommand = Put | Get | Delete
Command = KeyCommand | ListPage


def read_command(request: Request, *, gateway_id: str, environment: str) -> Command | Answer:
    """The command that the request states, or why it states none."""
    match request.method, request.segments[1:]:
        case "GET", ():
            return _read_list(request)
        case _, ():
            return method_not_allowed(request, "GET")
        case _, (key,) if not _KEY.fullmatch(key):
            detail = f"{key[:200]!r} does not match {contract.KEY_PATTERN}. Use the promotion's id."
            return problem(contract.MALFORMED_KEY, detail)
        case "GET", (key,):
            return Get(key=key)
        case "PUT" | "DELETE" as method, (key,):
            token = _fencing_token(request)
            if isinstance(token, Answer):
                return token
            if method == "DELETE":
                return Delete(key=key, token=token)
            content = _read_content(request, gateway_id=gateway_id, environment=environment)
            return content if isinstance(content, Answer) else Put(key=key, content=content, token=token)
        case _, (_,):
            return method_not_allowed(request, "GET, PUT, DELETE")
    return unknown_path(request)


def request_key(request: Request) -> str | None:
    """The key for the log, whether or not the request turns out to be a command."""
    match request.segments:
        case ("deployments", key) if _KEY.fullmatch(key):
            return key
    return None


def logged_token(request: Request) -> int | None:
    """The fencing token for the log, where one can be read."""
    token = _fencing_token(request)
    return None if isinstance(token, Answer) else token


def logged_traceparent(request: Request) -> str | None:
    """The traceparent for the log, where it is one."""
    value = request.headers.get("traceparent")
    return value if value and _TRACEPARENT.fullmatch(value) else None


def method_not_allowed(request: Request, allowed: str) -> Answer:
    """405, with what the path does know."""
    detail = f"{request.method} is not one of {allowed}."
    return problem(contract.METHOD_NOT_ALLOWED, detail, headers=(("allow", allowed),))


def unknown_path(request: Request) -> Answer:
    """404 for a path that the contract does not name."""
    known = "/deployments, /deployments/{promotion_id}, /faults, /healthz"
    detail = f"{request.path[:200]!r} is not one of {known}."
    return problem(contract.UNKNOWN_PATH, detail)


def json_body_refusal(request: Request) -> Answer | None:
    """415 for a body that says that it is something other than JSON."""
    content_type = request.headers.get("content-type", "application/json")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return None
    return problem(contract.UNSUPPORTED_MEDIA_TYPE, f"{content_type[:100]!r} is not application/json.")


def malformed_body(error: ValidationError) -> Answer:
    """422 with every place that is wrong."""
    errors = [
        {"path": ".".join(str(part) for part in found["loc"])[:200], "message": found["msg"][:300]}
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]
    first = errors[0]
    detail = f"{first['path'] or 'The body'}: {first['message']}. Correct it and put it again."
    return problem(contract.MALFORMED_BODY, detail, errors=errors)


def _read_content(request: Request, *, gateway_id: str, environment: str) -> Content | Answer:
    refusal = json_body_refusal(request)
    if refusal is not None:
        return refusal
    try:
        content = contract.DeploymentRequest.model_validate_json(request.body).content()
    except ValidationError as error:
        return malformed_body(error)
    if (content.gateway_id, content.environment) != (gateway_id, environment):
        detail = (
            f"This is {gateway_id!r} of {environment!r}, the body names {content.gateway_id!r} "
            f"of {content.environment!r}. Send it there, or correct the registered address."
        )
        return problem(contract.WRONG_GATEWAY, detail)
    return content


def _fencing_token(request: Request) -> int | Answer | None:
    value = request.headers.get("fencing-token")
    return None if value is None else _read_token(value)


@lru_cache(maxsize=1024)
def _read_token(value: str) -> int | Answer:
    if _TOKEN.fullmatch(value) and int(value) <= contract.MAX_FENCING_TOKEN:
        return int(value)
    detail = f"{value[:100]!r} is not an integer from 0 to {contract.MAX_FENCING_TOKEN}. Send the lease's epoch."
    return problem(contract.MALFORMED_FENCING_TOKEN, detail)


def _read_list(request: Request) -> ListPage | Answer:
    parameters = parse_qs(request.query, keep_blank_values=True)
    for name, values in parameters.items():
        if name not in _LIST_PARAMETERS or len(values) > 1:
            return _malformed_query(name, f"Use each of {', '.join(_LIST_PARAMETERS)} at most once.")
    given = {name: values[0] for name, values in parameters.items()}
    if given.get("status") not in (None, "live", "retired"):
        return _malformed_query("status", "Use live or retired.")
    limit = given.get("limit", "100")
    if not (re.fullmatch("[0-9]{1,4}", limit) and 1 <= int(limit) <= MAX_PAGE):
        return _malformed_query("limit", f"Use 1 to {MAX_PAGE}.")
    return ListPage(
        organization_id=given.get("organization_id"),
        agent_id=given.get("agent_id"),
        status=given.get("status"),
        limit=int(limit),
        cursor=given.get("cursor"),
    )


def _malformed_query(name: str, advice: str) -> Answer:
    detail = f"The query parameter {name[:100]!r} is not right. {advice}"
    return problem(contract.MALFORMED_QUERY, detail, errors=[{"path": name[:100], "message": advice}])
