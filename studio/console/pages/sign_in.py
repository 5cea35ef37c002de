"""Signing in with an API key, and out."""

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from schemas.vocabulary import Role
from services.platform.identity import KeyRing
from studio.console.forms import read_form
from studio.console.pages.routes import page_routes
from studio.console.rendering import render
from studio.console.security import local_path
from studio.console.visits import keep_signed_in, session_cookie, sessions_of

routes = page_routes()

MAX_KEY_CHARACTERS = 500


@routes.get("/sign-in")
async def ask(next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Ask for a key."""
    return _form(local_path(next))


@routes.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Begin a session for the owner of a key."""
    form = await read_form(request)
    target = local_path(form.text("next"))
    key_ring: KeyRing = request.app.state.key_ring
    principal = await key_ring.verify(form.text("key")[:MAX_KEY_CHARACTERS])
    if principal is None:
        return _form(target, "This key is unknown, expired or revoked. Check that all of it was pasted.", status=401)
    if not principal.may_somewhere(Role.VIEWER):
        return _form(target, "This key may only send events; the console needs the role viewer.", status=403)
    response = RedirectResponse(target, 303)
    keep_signed_in(response, request, await sessions_of(request).begin(principal.key_id))
    return response


@routes.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    await sessions_of(request).end(request.cookies.get(session_cookie(request), ""))
    response = RedirectResponse("/sign-in", 303)
    secure = request.url.scheme == "https"
    response.delete_cookie(session_cookie(request), httponly=True, samesite="strict", secure=secure)
    return response


def _form(target: str, wrong: str = "", *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(render("sign_in.html", target=target, wrong=wrong), status)
