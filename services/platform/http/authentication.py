"""Who is calling over HTTP, and the refusal of those who may not."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from schemas.text import IDENTIFIER
from schemas.vocabulary import Role
from services.platform.http.problems import Problem
from services.platform.identity import KeyRing, Principal

Authenticate = Callable[..., Awaitable[Principal]]

# Where the ASGI scope of a call made within the process holds its principal; no request from outside can set it.
SIGNED_IN = "promotion.principal"

_BEARER = HTTPBearer(scheme_name="ApiKey", bearerFormat="pk_<id>_<secret>", auto_error=False)


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def requires(*roles: Role) -> Authenticate:
    """Give the dependency that lets callers with any of ``roles`` pass and gives their principal.

    The application keeps its KeyRing in ``app.state.key_ring``.
    """

    async def principal(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        on_behalf_of: Annotated[str | None, Header(description="Whom a delegate's key acts for.")] = None,
    ) -> Principal:
        caller = await _caller(request, bearer)
        if on_behalf_of is not None:
            caller = _delegated(caller, on_behalf_of)
        if not caller.may(*roles):
            raise Problem(
                403, "forbidden", f"this needs one of the roles {', '.join(roles)}; you have {_names(caller)}"
            )
        return caller

    return principal


async def _caller(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Principal:
    signed_in = request.scope.get(SIGNED_IN)
    if isinstance(signed_in, Principal):
        return signed_in
    if len(request.headers.getlist("authorization")) > 1:
        raise _unauthenticated("the Authorization header stands more than once; send one")
    if bearer is None:
        raise _unauthenticated("give a credential: Authorization: Bearer <API key>")
    key_ring: KeyRing = request.app.state.key_ring
    caller = await key_ring.verify(bearer.credentials.strip())
    if caller is None:
        raise _unauthenticated("the API key is unknown, expired or revoked")
    return caller


def _delegated(caller: Principal, subject: str) -> Principal:
    if Role.DELEGATE not in caller.roles:
        raise Problem(403, "forbidden", "On-Behalf-Of needs the role delegate; leave the header out")
    if not re.fullmatch(IDENTIFIER, subject) or len(subject) > 200:
        raise Problem(422, "invalid_request", "On-Behalf-Of does not hold an identifier")
    return caller.on_behalf_of(subject)


def _names(caller: Principal) -> str:
    return ", ".join(sorted(caller.roles)) or "none"
