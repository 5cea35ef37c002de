"""Headers that requests about promotions may carry: what they mean, and what is refused."""

import re

from schemas.traces import read_traceparent
from services.platform.http.problems import Problem, field_error, invalid
from services.platform.identity import Principal

MAX_KEY_CHARACTERS = 255
_KEY = re.compile(r"[ -~]+", re.ASCII)


def idempotency_key(given: str | None) -> str | None:
    """Check ``Idempotency-Key``; raises a 422 for one that is blank, too long or not printable ASCII."""
    if given is None:
        return None
    if not given.strip() or len(given) > MAX_KEY_CHARACTERS or not _KEY.fullmatch(given):
        raise invalid(
            "header:/Idempotency-Key",
            "invalid_key",
            f"is not 1 to {MAX_KEY_CHARACTERS} printable ASCII characters",
            "send a fresh UUID for each thing that you want done once",
        )
    return given


def traceparent(given: str | None) -> str | None:
    """Give the trace context if it is one."""
    return None if read_traceparent(given) is None else given


def require_own(principal: Principal, **claimed: str | None) -> None:
    """Refuse fields of the body that claim to be somebody else: ``organization_id``, or any that names a person."""
    errors = []
    for name, value in claimed.items():
        own = principal.organization_id if name == "organization_id" else principal.subject
        if value is not None and value != own:
            message = f"{value!r} is not who is calling, which is {own!r}"
            hint = f"leave it out, or give {own!r}; a delegate names the person in On-Behalf-Of"
            errors.append(field_error(f"/{name}", "not_yours", message, hint))
    if errors:
        raise Problem(422, "invalid_request", f"{errors[0]['path']}: {errors[0]['message']}", errors=errors)
