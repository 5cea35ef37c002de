"""Who is calling over HTTP, and the refusal of those who may not."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from schemas.text import IDENTIFIER
from schemas.vocabulary import Role
from services.platform.credentials import Credentials, Unauthenticated
from services.platform.database import DatabaseUnavailable, serve
from services.platform.http.limits import Limits
from services.platform.http.problems import Problem, unavailable
from services.platform.identity import Principal
from services.platform.jwks import KeysUnavailable

Authenticate = Callable[..., Awaitable[Principal]]

# Where the ASGI scope of a call made within the process holds its principal; no request from outside can set it.
SIGNED_IN = "promotion.principal"

_BEARER = HTTPBearer(scheme_name="ApiKey", bearerFormat="pk_<id>_<secret>", auto_error=False)


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def requires(*roles: Role, somewhere: bool = False) -> Authenticate:
    """Give the dependency that lets callers with any of ``roles`` pass and gives their principal.

    The role has to be held in all environments. With ``somewhere`` one environment is enough, and the route asks
    ``require_in`` as soon as it knows which one it is about. The application keeps its Credentials in
    ``app.state.credentials``, and its Limits, where it has some, in ``app.state.limits``.
    """

    async def principal(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        on_behalf_of: Annotated[str | None, Header(description="Whom a delegate's key acts for.")] = None,
    ) -> Principal:
        caller = await _caller(request, bearer)
        limits: Limits | None = getattr(request.app.state, "limits", None)
        if limits is not None:
            limits.check(caller, request.scope)
        serve(caller.organization_id)
        if on_behalf_of is not None:
            caller = _delegated(caller, on_behalf_of)
        if not (caller.may_somewhere(*roles) if somewhere else caller.may(*roles)):
            raise _forbidden(caller, roles, "")
        return caller

    return principal


async def still_may(request: Request, known: Principal, *roles: Role) -> bool:
    """Ask anew whether ``request``, which was let in as ``known`` and is still being served, would be let in now.

    While the database is away the answer is yes: then there is nothing to be told either.
    """
    if SIGNED_IN in request.scope:
        # A session is known to the console alone; whoever comes back is asked there.
        return False
    credentials: Credentials = request.app.state.credentials
    try:
        caller = await credentials.verify(request.headers["authorization"].partition(" ")[2].strip())
        on_behalf_of = request.headers.get("on-behalf-of")
        if on_behalf_of is not None:
            caller = _delegated(caller, on_behalf_of)
    except DatabaseUnavailable:
        return True
    except (Unauthenticated, KeysUnavailable, Problem):
        return False
    return caller.organization_id == known.organization_id and caller.may(*roles)


def require_in(caller: Principal, environment: str, *roles: Role) -> None:
    """Let ``caller`` pass who holds any of ``roles`` in ``environment``; raises a 403."""
    if not caller.may(*roles, environment=environment):
        raise _forbidden(caller, roles, f" in {environment}")


def _forbidden(caller: Principal, roles: tuple[Role, ...], where: str) -> Problem:
    needed = ", ".join(roles)
    held = ", ".join(caller.grants.texts()) or "none"
    return Problem(403, "forbidden", f"this needs one of the roles {needed}{where}; you have {held}")


async def _caller(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Principal:
    signed_in = request.scope.get(SIGNED_IN)
    if isinstance(signed_in, Principal):
        return signed_in
    if len(request.headers.getlist("authorization")) > 1:
        raise _unauthenticated("the Authorization header stands more than once; send one")
    if bearer is None:
        raise _unauthenticated("give a credential: Authorization: Bearer <API key or token>")
    credentials: Credentials = request.app.state.credentials
    try:
        return await credentials.verify(bearer.credentials.strip())
    except Unauthenticated as error:
        raise _unauthenticated(str(error)) from None
    except KeysUnavailable as error:
        raise unavailable(str(error)) from None


def _delegated(caller: Principal, subject: str) -> Principal:
    if not caller.may_somewhere(Role.DELEGATE):
        raise Problem(403, "forbidden", "On-Behalf-Of needs the role delegate; leave the header out")
    if not re.fullmatch(IDENTIFIER, subject) or len(subject) > 200:
        raise Problem(422, "invalid_request", "On-Behalf-Of does not hold an identifier")
    return caller.on_behalf_of(subject)
