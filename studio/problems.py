"""What can go wrong with a call of the HTTP API: one exception a kind, each with the problem document."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API answered with an error; ``problem`` is its document (RFC 9457), ``status`` the HTTP status.

    ``code`` is the stable end of the problem's type, such as ``not_found``.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after_seconds: float | None = None) -> None:
        super().__init__(_sentence(status, problem))
        self.status = status
        self.problem = dict(problem)
        self.retry_after_seconds = retry_after_seconds

    @property
    def code(self) -> str:
        """Name the problem for programs."""
        return str(self.problem.get("type", "about:blank")).rpartition(":")[2]


class Invalid(ApiError):
    """The request is wrong (400, 413, 415, 422 and other 4xx); ``problem["errors"]`` names each wrong value."""


class Unauthenticated(ApiError):
    """There is no valid credential (401)."""


class Forbidden(ApiError):
    """The role does not allow it, or it is one's own promotion (403)."""


class NotFound(ApiError):
    """It does not exist, or belongs to somebody else (404)."""


class Gone(ApiError):
    """It was there and was let go for good (410); ``problem`` says with what."""


class Conflict(ApiError):
    """The command comes too late or too early, or another one is under way (409, 412)."""


class Unavailable(ApiError):
    """The service is short of something now (429, 503); try again after ``retry_after_seconds``."""


class ServerFailed(ApiError):
    """The server failed (other 5xx)."""


class Unreachable(Exception):
    """The API did not answer; whether the request was carried out is not known."""


class Unconfigured(Exception):
    """The address or the key of the API was given neither as an argument nor in the environment."""


class PromotionNotApproved(Exception):
    """A promotion cannot execute because it still waits; ``promotion`` is what it looks like."""

    def __init__(self, promotion: Mapping[str, Any]) -> None:
        super().__init__(
            f"promotion {promotion['id']} is {promotion['status']} ({promotion['status_reason']}): "
            f"{promotion['status_message']}"
        )
        self.promotion = dict(promotion)


class PromotionRejected(PromotionNotApproved):
    """The promotion ended without being executed: rejected, cancelled, expired, superseded or not eligible."""


class PromotionFailed(PromotionNotApproved):
    """The promotion was executed and failed: no deployment of it is live."""


class PromotionUnfinished(PromotionNotApproved):
    """The promotion did not end within the time allowed; it goes on by itself."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Conflict,
    429: Unavailable,
    503: Unavailable,
}


def error_of(status: int, problem: Mapping[str, Any], *, retry_after_seconds: float | None) -> ApiError:
    """Give the exception for an answer with ``status``."""
    kind = _BY_STATUS.get(status, ServerFailed if status >= 500 else Invalid)
    return kind(status, problem, retry_after_seconds=retry_after_seconds)


def _sentence(status: int, problem: Mapping[str, Any]) -> str:
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    items = problem.get("errors")
    if not isinstance(items, list) or not items:
        return detail
    lines = [f"{item.get('path')}: {item.get('message')} – {item.get('hint')}" for item in items]
    return "\n".join([detail, *lines] if len(items) > 1 else lines)
