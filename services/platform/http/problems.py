"""Errors as ``application/problem+json`` (RFC 9457): a stable type, what was wrong, and what to do."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.resources import ProblemDocument
from services.platform.database import DatabaseUnavailable, is_conflict, is_outage
from services.platform.redaction import redacted

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:promotion:problem:"
# So many of what is wrong with one request are told; one of 64 KiB can have thousands.
MAX_ERRORS = 100
_SHOWN_CHARACTERS = 80

_log = structlog.get_logger()


class Problem(HTTPException):
    """A request that is refused; ``code`` is the stable end of the problem's type.

    ``errors`` are objects {path, code, message, hint}; ``extra`` joins the document (the current state, an id).
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.status = status
        self.code = code
        self.errors = list(errors)
        self.extra = dict(extra or {})

    def response(self) -> JSONResponse:
        """Write the problem as a response."""
        body: dict[str, Any] = {
            "type": f"{TYPE_PREFIX}{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def field_error(path: str, code: str, message: str, hint: str) -> dict[str, str]:
    """Say what is wrong with the value at ``path`` (JSON Pointer) of the body."""
    return {"path": path, "code": code, "message": message, "hint": hint}


def invalid(path: str, code: str, message: str, hint: str) -> Problem:
    """Give the 422 for one wrong value."""
    return Problem(422, "invalid_request", f"{path}: {message}", errors=[field_error(path, code, message, hint)])


def not_found(kind: str, identifier: object) -> Problem:
    """Give the 404 for what does not exist or is another organization's; both look alike."""
    shown = str(identifier)[:_SHOWN_CHARACTERS]
    return Problem(404, "not_found", f"there is no {kind} {shown!r} that you may see")


def unavailable(detail: str) -> Problem:
    """Give the 503 for a dependency that is away."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give the OpenAPI of the problems that a route answers with, for its ``responses``."""
    content = {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: content}} for status in statuses}


def install(app: FastAPI) -> None:
    """Make ``app`` answer every refusal and an absent database as a problem document.

    What is neither is for the application's outermost layer and ``from_failure``.
    """

    @app.exception_handler(Problem)
    async def on_problem(_request: Request, problem: Problem) -> JSONResponse:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        return from_validation(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def on_http_exception(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return Problem(error.status_code, code, str(error.detail), headers=error.headers).response()

    @app.exception_handler(DatabaseUnavailable)
    async def on_outage(_request: Request, error: DatabaseUnavailable) -> JSONResponse:
        return from_failure(error).response()


def from_failure(error: Exception) -> Problem:
    """Give the problem for what no handler foresaw; logs what the caller is not told."""
    if is_outage(error):
        _log.warning("database unavailable", error=f"{type(error).__name__}: {error}"[:500])
        return unavailable("the database does not answer; look whether it was done before you send it again")
    if is_conflict(error):
        return unavailable("the change collided with another one and was not made; send it again")
    _log.error("request failed", exc_info=error)
    return Problem(500, "internal_error", "the server failed; its log says why, under this request's id")


def from_validation(errors: Sequence[Any]) -> Problem:
    """Give the 422 that lists what FastAPI and pydantic found wrong."""
    items = [_item(error) for error in errors[:MAX_ERRORS]]
    first, more = items[0], len(errors) - len(items)
    left_out = f"; {more} more errors are left out" if more else ""
    return Problem(422, "invalid_request", f"{first['path']}: {first['message']}{left_out}", errors=items)


def _item(error: Mapping[str, Any]) -> dict[str, str]:
    where, *location = [str(part) for part in error["loc"]] or ["body"]
    path = "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in location)
    if where != "body":
        path = f"{where}:{path}"
    message = f"{error['msg']}{_shown(location[-1] if location else '', error.get('input'))}"
    return field_error(path, str(error["type"]), message, _hint(str(error["type"])))


def _shown(name: str, value: object) -> str:
    # What is not shown is not searched for secrets either: it may be large.
    if isinstance(value, (str, int, float, bool)):
        return f" (it was {repr(redacted(name, value))[:_SHOWN_CHARACTERS]})"
    return ""


def _hint(code: str) -> str:
    hints = {
        "missing": "give this field",
        "extra_forbidden": "leave this field out; check its spelling",
        "string_pattern_mismatch": "use letters, digits and . _ : @ - as the documentation of the field says",
    }
    return hints.get(code, "see /docs for the shape of this request")
