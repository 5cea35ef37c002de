"""Signing people in at the OIDC issuer: authorization code flow with PKCE, state and nonce (OpenID Connect Core 3.1).

The issuer says who somebody is by an ID token, which is held to the same letter as bearer tokens; nothing else of what
it answers is believed.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import structlog

from schemas import strict_json
from services.platform.identity import Principal
from services.platform.jwks import Fetch, FetchFailed, KeysUnavailable, TokenVerifier
from services.platform.outward import reached_safely
from services.platform.tokens import WrongToken

FRESH_SECONDS = 300.0
MIN_INTERVAL_SECONDS = 10.0
EXCHANGE_SECONDS = 5.0
MAX_ANSWER_BYTES = 65_536
MAX_CODE_CHARACTERS = 4096
MOST_EXCHANGES = 20
DISCOVERY = "/.well-known/openid-configuration"
_RANDOM = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ERROR = re.compile(r"[a-z0-9_]{1,60}", re.ASCII)

# Posts a form with headers to a URL; gives status and body; raises FetchFailed.
Post = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[tuple[int, bytes]]]

_log = structlog.get_logger()


class SignInRefused(Exception):
    """Nobody is signed in; the message says why and what to do."""


class IssuerUnavailable(Exception):
    """The issuer could not be asked, so that nobody knows."""


@dataclass(frozen=True, slots=True)
class Client:
    """As whom we come to the issuer; without a secret we are a public client. ``redirect_uri`` leads back to us."""

    id: str
    secret: str | None
    redirect_uri: str
    scope: str

    def __repr__(self) -> str:
        return f"Client({self.id!r})"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the browser keeps while somebody is at the issuer: only who has it can come back as the one who left."""

    state: str
    nonce: str
    verifier: str
    target: str

    @classmethod
    def new(cls, target: str) -> "Attempt":
        """Begin to sign in, to go to ``target`` afterwards; each value has 256 bits."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32), target)

    def written(self) -> str:
        """Write it for a cookie."""
        whole = json.dumps([self.state, self.nonce, self.verifier, self.target], ensure_ascii=False)
        return base64.urlsafe_b64encode(whole.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cookie: str) -> "Attempt | None":
        """Read a cookie; None for one that was not written here."""
        try:
            parts = strict_json.parse(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
        except ValueError:
            return None
        if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) for part in parts):
            return None
        return cls(*parts) if all(_RANDOM.fullmatch(part) for part in parts[:3]) else None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the issuer says of itself."""

    authorization: str
    token: str
    end_session: str | None
    secret_in_form: bool


class SignIn:
    """The issuer as the place where people sign in; ``elapsed`` gives seconds that never go backwards."""

    def __init__(
        self,
        issuer: str,
        client: Client,
        *,
        verifier: TokenVerifier,
        fetch: Fetch,
        post: Post,
        elapsed: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._verifier = verifier
        self._fetch = fetch
        self._post = post
        self._elapsed = elapsed
        self._endpoints: Endpoints | None = None
        self._fetched_at = 0.0
        self._asked_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._exchanges = asyncio.Semaphore(MOST_EXCHANGES)

    async def leave(self, attempt: Attempt) -> str:
        """Give the address at the issuer to send the browser to; raises IssuerUnavailable."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect_uri,
            "scope": self._client.scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query((await self._known()).authorization, query)

    async def come_back(self, attempt: Attempt, answer: Mapping[str, str]) -> Principal:
        """Give who came back with the query ``answer``; raises SignInRefused or IssuerUnavailable."""
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise SignInRefused("This is not the answer to what was begun in this browser. Begin again.")
        if answer.get("iss", self._issuer) != self._issuer:
            raise SignInRefused("The answer is another issuer's. Begin again.")
        if "error" in answer:
            raise SignInRefused(f"The identity provider says no: {_named(answer['error'])}.")
        code = answer.get("code", "")
        if not 0 < len(code) <= MAX_CODE_CHARACTERS:
            raise SignInRefused("The identity provider gave no code. Begin again.")
        token = await self._exchange(code, attempt)
        try:
            claims, principal = await self._verifier.verify_whole(token)
        except WrongToken as error:
            raise SignInRefused(f"The identity provider's token is not accepted: {error}.") from None
        except KeysUnavailable as error:
            raise IssuerUnavailable(str(error)) from None
        self._check(claims, attempt)
        return principal

    async def farewell(self) -> str | None:
        """Give where one signs out at the issuer as well, None where that is not known."""
        try:
            ending = (await self._known()).end_session
        except IssuerUnavailable:
            return None
        return None if ending is None else _with_query(ending, {"client_id": self._client.id})

    def _check(self, claims: Mapping[str, Any], attempt: Attempt) -> None:
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
            raise SignInRefused("The identity provider's token is not for what was begun here. Begin again.")
        several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client.id) != self._client.id:
            raise SignInRefused("The identity provider's token was issued to another application.")

    async def _exchange(self, code: str, attempt: Attempt) -> str:
        endpoints, client = await self._known(), self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "client_id": client.id,
            "code_verifier": attempt.verifier,
        }
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if client.secret is not None and endpoints.secret_in_form:
            form["client_secret"] = client.secret
        elif client.secret is not None:
            pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            async with self._exchanges:
                status, body = await self._post(endpoints.token, form, headers)
        except FetchFailed as error:
            raise IssuerUnavailable(str(error)) from None
        return _token_of(status, body)

    async def _known(self) -> Endpoints:
        if self._endpoints is None or self._elapsed() - self._fetched_at >= FRESH_SECONDS:
            await self._refresh()
        if self._endpoints is None:
            raise IssuerUnavailable("the identity provider cannot be asked now; come again in a moment")
        return self._endpoints

    async def _refresh(self) -> None:
        if self._refreshing is None:
            if self._asked_at is not None and self._elapsed() - self._asked_at < MIN_INTERVAL_SECONDS:
                return
            self._asked_at = self._elapsed()
            self._refreshing = asyncio.create_task(self._ask_where())
        # Whoever goes away while it waits takes the answer from nobody else.
        await asyncio.shield(self._refreshing)

    async def _ask_where(self) -> None:
        try:
            self._endpoints = read_endpoints(await self._fetch(), self._issuer)
            self._fetched_at = self._elapsed()
        except FetchFailed as error:
            _log.warning("issuer's configuration not fetched", error=str(error))
        finally:
            self._refreshing = None


def read_endpoints(document: bytes, issuer: str) -> Endpoints:
    """Read what the issuer says of itself; raises FetchFailed for what is another issuer's or lacks something."""
    try:
        found = strict_json.parse(document)
    except strict_json.NotJson as error:
        raise FetchFailed(f"the configuration is not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise FetchFailed("the configuration is not that of the issuer that is configured here")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    in_form = isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods
    ending = found.get("end_session_endpoint")
    return Endpoints(
        authorization=_endpoint(found, "authorization_endpoint"),
        token=_endpoint(found, "token_endpoint"),
        end_session=None if ending is None else _endpoint(found, "end_session_endpoint"),
        secret_in_form=in_form,
    )


async def post_form(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Post a form: no redirect, no proxy, bounded in time and size; raises FetchFailed."""
    timeout = aiohttp.ClientTimeout(total=EXCHANGE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False, auto_decompress=False) as session,
            session.post(url, data=dict(form), headers=dict(headers), allow_redirects=False) as response,
        ):
            body = await response.content.read(MAX_ANSWER_BYTES + 1)
            while len(body) <= MAX_ANSWER_BYTES and not response.content.at_eof():
                body += await response.content.read(MAX_ANSWER_BYTES + 1 - len(body))
            if len(body) > MAX_ANSWER_BYTES:
                raise FetchFailed(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
            return response.status, body
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        # What was sent holds secrets, so that nothing of the error but its kind is repeated.
        raise FetchFailed(f"the issuer did not answer: {type(error).__name__}") from None


def _token_of(status: int, body: bytes) -> str:
    try:
        answer = strict_json.parse(body)
    except strict_json.NotJson:
        answer = None
    if status >= 500 or not isinstance(answer, dict):
        raise IssuerUnavailable(f"the identity provider answered {status} to the code; begin again")
    if status != 200:
        raise SignInRefused(f"The identity provider did not take the code: {_named(answer.get('error'))}. Begin again.")
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise SignInRefused("The identity provider gave no ID token; the scope has to include openid.")
    return token


def _endpoint(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or not reached_safely(url):
        raise FetchFailed(f"the configuration's {name} is no https address")
    return url


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _named(error: object) -> str:
    # A code of the specification; anything else might be somebody's words.
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else "it does not say why"
