"""Signing in, with an API key or at the identity provider, and out."""

from datetime import timedelta

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from schemas.vocabulary import Role
from services.platform.credentials import CALLBACK
from services.platform.identity import KeyRing
from services.platform.sign_in import Attempt, IssuerUnavailable, SignIn, SignInRefused
from studio.console.forms import read_form
from studio.console.pages.routes import page_routes
from studio.console.rendering import render
from studio.console.security import local_path
from studio.console.visits import keep_signed_in, session_cookie, sessions_of, sign_in_cookie

routes = page_routes()

MAX_KEY_CHARACTERS = 500
# How long somebody may be at the identity provider.
ATTEMPT_SECONDS = 600


@routes.get("/sign-in")
async def ask(request: Request, next: str = "/", ended: str = "") -> Response:  # noqa: A002 - the name in the address
    """Ask for a key, or offer the identity provider."""
    farewell = None
    if ended and (issuer := _issuer(request)) is not None:
        farewell = await issuer.farewell()
    return _form(request, local_path(next), farewell=farewell)


@routes.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Begin a session for the owner of a key."""
    form = await read_form(request)
    target = local_path(form.text("next"))
    key_ring: KeyRing = request.app.state.key_ring
    principal = await key_ring.verify(form.text("key")[:MAX_KEY_CHARACTERS])
    if principal is None:
        wrong = "This key is unknown, expired or revoked. Check that all of it was pasted."
        return _form(request, target, wrong, status=401)
    if not principal.may_somewhere(Role.VIEWER):
        wrong = "This key may only send events; the console needs the role viewer."
        return _form(request, target, wrong, status=403)
    response = RedirectResponse(target, 303)
    keep_signed_in(response, request, await sessions_of(request).begin(principal.key_id))
    return response


@routes.get("/sign-in/issuer")
async def leave(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Send the browser to the identity provider."""
    issuer, target = _issuer(request), local_path(next)
    if issuer is None:
        return _form(request, target, "There is no identity provider here; sign in with a key.", status=404)
    attempt = Attempt.new(target)
    try:
        response = RedirectResponse(await issuer.leave(attempt), 303)
    except IssuerUnavailable as error:
        return _form(request, target, trouble=str(error), status=503)
    # Lax, since it has to come along from the identity provider; the session's own cookie does not.
    response.set_cookie(
        sign_in_cookie(request), attempt.written(), max_age=ATTEMPT_SECONDS, httponly=True, samesite="lax",
        secure=request.url.scheme == "https", path="/",
    )  # fmt: skip
    return response


@routes.get(CALLBACK)
async def come_back(request: Request) -> Response:
    """Begin a session for who comes back from the identity provider."""
    issuer = _issuer(request)
    attempt = Attempt.read(request.cookies.get(sign_in_cookie(request), ""))
    target = "/" if attempt is None else local_path(attempt.target)
    if issuer is None or attempt is None:
        trouble = "This sign-in was begun in another browser, or too long ago. Begin again."
        return _form(request, target, trouble=trouble, status=400)
    try:
        principal = await issuer.come_back(attempt, request.query_params)
    except SignInRefused as error:
        return _over(request, _form(request, target, trouble=str(error), status=403))
    except IssuerUnavailable as error:
        return _over(request, _form(request, target, trouble=str(error), status=503))
    if not principal.may_somewhere(Role.VIEWER):
        trouble = f"You are {principal.subject} of {principal.organization_id}, and have no role here. Ask for one."
        return _over(request, _form(request, target, trouble=trouble, status=403))
    lifetime: timedelta = request.app.state.sign_in_lifetime
    # From this page of ours, and not from the identity provider, the strict cookie comes along.
    response = HTMLResponse(render("arrival.html", target=target))
    token = await sessions_of(request).begin_for(principal, lifetime=lifetime)
    keep_signed_in(response, request, token, lifetime=lifetime)
    return _over(request, response)


@routes.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session here; the identity provider may still know who it was."""
    await sessions_of(request).end(request.cookies.get(session_cookie(request), ""))
    response = RedirectResponse("/sign-in?ended=1" if _issuer(request) is not None else "/sign-in", 303)
    secure = request.url.scheme == "https"
    response.delete_cookie(session_cookie(request), httponly=True, samesite="strict", secure=secure)
    return response


def _issuer(request: Request) -> SignIn | None:
    issuer: SignIn | None = request.app.state.sign_in
    return issuer


def _over(request: Request, response: HTMLResponse) -> HTMLResponse:
    # A state is for one return alone.
    secure = request.url.scheme == "https"
    response.delete_cookie(sign_in_cookie(request), httponly=True, samesite="lax", secure=secure, path="/")
    return response


def _form(
    request: Request, target: str, wrong: str = "", *, trouble: str = "", farewell: str | None = None, status: int = 200
) -> HTMLResponse:
    values = {"target": target, "wrong": wrong, "trouble": trouble, "farewell": farewell}
    return HTMLResponse(render("sign_in.html", issuer=_issuer(request) is not None, **values), status)
