"""One visit of a page: who comes, the API as that person, and the ways in which a page can answer."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from schemas.vocabulary import Role
from services.platform.http.problems import Problem, from_failure
from services.platform.identity import KeyRing, Principal
from studio.console.api import ConsoleApi, Query
from studio.console.notices import Notice, Tone, sealed, unsealed
from studio.console.rendering import render
from studio.console.security import HEADERS, SAFE_METHODS, from_own_page
from studio.console.sessions import LIFETIME, Sessions
from studio.console.views.permissions import why_not_approve
from studio.problems import ApiError

NOTICE_COOKIE = "notice"
NOTICE_SECONDS = 60
# More waiting promotions than this are counted as "20+".
MOST_COUNTED = 20


class NotSignedIn(Exception):
    """The page is for people who are signed in."""


def session_cookie(request: Request) -> str:
    """Name the cookie; over TLS the browser itself keeps it from every other host and path."""
    return "__Host-session" if request.url.scheme == "https" else "session"


def sign_in_cookie(request: Request) -> str:
    """Name the cookie of who is at the identity provider."""
    return "__Host-sign-in" if request.url.scheme == "https" else "sign-in"


def sessions_of(request: Request) -> Sessions:
    """Give the stored sessions; they live beside the keys."""
    key_ring: KeyRing = request.app.state.key_ring
    return Sessions(key_ring.database, key_ring.clock)


async def signed_in(request: Request) -> Principal:
    """Give who is signed in; raises NotSignedIn where nobody is."""
    principal = await sessions_of(request).find(request.cookies.get(session_cookie(request), ""))
    if principal is None:
        raise NotSignedIn
    return principal


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page has at hand."""

    request: Request
    principal: Principal
    api: ConsoleApi
    now: datetime

    async def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Render a page in its frame."""
        waiting = values.pop("waiting", None)
        notice = self._notice()
        frame = {
            "principal": self.principal,
            "administers": self.principal.may(Role.ADMIN),
            "path": self.request.url.path,
            "now": self.now,
            "notice": notice,
            "waiting": await self.waiting() if waiting is None else waiting,
        }
        response = HTMLResponse(render(template, **frame, **values), status)
        if notice is not None:
            response.delete_cookie(NOTICE_COOKIE, httponly=True, samesite="strict")
        return response

    def go(self, target: str, said: str | None = None, tone: Tone = "done") -> RedirectResponse:
        """Send the browser to ``target``, where it shows what was ``said``."""
        response = RedirectResponse(target, 303)
        if said is not None:
            response.set_cookie(
                NOTICE_COOKIE, sealed(Notice(tone, said), self._token), max_age=NOTICE_SECONDS, httponly=True,
                samesite="strict", secure=self.request.url.scheme == "https",
            )  # fmt: skip
        return response

    async def waiting(self) -> str:
        """Say how many promotions wait for this person, empty where none do."""
        if not self.principal.may_somewhere(Role.APPROVER):
            return ""
        query: Query = {"status_reason": "awaiting_approval", "limit": MOST_COUNTED}
        page = await self.api.get("/promotions", query)
        mine = sum(1 for promotion in page["items"] if why_not_approve(self.principal, promotion) is None)
        return f"{mine}+" if page["next_cursor"] is not None else str(mine or "")

    @property
    def _token(self) -> str:
        return self.request.cookies.get(session_cookie(self.request), "")

    def _notice(self) -> Notice | None:
        # A page that the script fetches in the background is not looked at yet.
        if self.request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return None
        cookie = self.request.cookies.get(NOTICE_COOKIE)
        return None if cookie is None else unsealed(cookie, self._token)


async def visit(request: Request, principal: Annotated[Principal, Depends(signed_in)]) -> Visit:
    """Give the visit of somebody who is signed in."""
    key_ring: KeyRing = request.app.state.key_ring
    return Visit(request, principal, ConsoleApi(request.app, principal, request.scope), key_ring.clock())


Visiting = Annotated[Visit, Depends(visit)]


async def public_page(request: Request, template: str, **values: Any) -> HTMLResponse:
    """Render a page that needs no key, for whoever comes."""
    try:
        principal = await signed_in(request)
    except NotSignedIn:
        key_ring: KeyRing = request.app.state.key_ring
        frame = {"principal": None, "path": request.url.path, "now": key_ring.clock(), "notice": None, "waiting": ""}
        return HTMLResponse(render(template, **frame, **values))
    return await (await visit(request, principal)).page(template, **values)


class ConsoleRoute(APIRoute):
    """A route whose every answer is a page with the console's headers, and that only own pages may change by."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the page."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            response = await _answer(handler, request)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return guarded


async def _answer(handler: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Response:
    if request.method not in SAFE_METHODS and not from_own_page(request.headers):
        return _trouble(403, "This did not come from a page of this console. Open the page here and try again.")
    try:
        return await handler(request)
    except NotSignedIn:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method not in SAFE_METHODS or request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return _trouble(401, "You are not signed in any more. Sign in and try again.")
        if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            # A strict cookie does not come along from elsewhere; from this page it does.
            return HTMLResponse(render("arrival.html", target=target))
        return RedirectResponse("/sign-in" if target == "/" else f"/sign-in?next={quote(target)}", 303)
    except ApiError as error:
        return _trouble(error.status, str(error))
    except Problem as problem:
        return _trouble(problem.status, str(problem.detail))
    except Exception as error:  # noqa: BLE001 - the last who can answer with a page; the failure is logged
        failure = from_failure(error)
        return _trouble(failure.status, str(failure.detail))


_HEADINGS = {
    401: "Sign in first",
    403: "Not allowed",
    404: "There is nothing here",
    409: "Too late",
    503: "Not available now",
}


def _trouble(status: int, said: str) -> HTMLResponse:
    heading = _HEADINGS.get(status, "That did not work")
    return HTMLResponse(render("trouble.html", heading=heading, said=said, status=status), status)


def keep_signed_in(response: Response, request: Request, token: str, *, lifetime: timedelta = LIFETIME) -> None:
    """Give the browser the session's token."""
    response.set_cookie(
        session_cookie(request), token, max_age=int(lifetime.total_seconds()), httponly=True, samesite="strict",
        secure=request.url.scheme == "https", path="/",
    )  # fmt: skip
