"""Signing in at an identity provider, from the console's button to its first page, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from services.ingress.app import build_service
from services.platform.settings import Settings, load_settings
from studio.local.ports import claim_port
from tests.fixtures.oidc import CLIENT_ID, CLIENT_SECRET, Provider, providing

NAVIGATION = {"Sec-Fetch-Mode": "navigate"}


@dataclass
class Browser:
    """Keeps cookies, and follows redirects only when it is told to."""

    url: str
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    # As they were set last, with everything that was said about them.
    set: SimpleCookie = field(default_factory=SimpleCookie)

    async def get(self, address: str, *, site: str = "same-origin", method: str = "GET") -> tuple[int, str, str]:
        """Open an address; give status, where it leads and what is shown."""
        whole = address if "://" in address else self.url + address
        own = whole.startswith(self.url)
        headers = {**NAVIGATION, "Sec-Fetch-Site": site, "Cookie": self._cookie_header() if own else ""}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        async with self.session.request(method, whole, headers=headers, allow_redirects=False) as answer:
            if own:
                self._keep(answer)
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def sign_in(self, target: str = "/promotions?status=pending") -> tuple[int, str, str]:
        """Walk to the provider and back; give what the console answers then."""
        _, provider, _ = await self.get(f"/sign-in/issuer?next={target}")
        _, back, _ = await self.get(provider)
        return await self.get(back, site="cross-site")

    def _keep(self, answer: aiohttp.ClientResponse) -> None:
        for line in answer.headers.getall("Set-Cookie", []):
            self.set.load(line)
        for name, morsel in self.set.items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value

    def _cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


@pytest.fixture
def port() -> int:
    return claim_port(None, server="the console")


@pytest.fixture
async def provider(port: int) -> AsyncIterator[Provider]:
    async with providing(f"http://127.0.0.1:{port}/sign-in/callback") as provider:
        yield provider


def settings_of(database: str, port: int, provider: Provider, **more: str) -> Settings:
    return load_settings(
        {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "PROMOTION_KEY_PEPPER": "p" * 32,
            "PROMOTION_HTTP_PORT": str(port),
            "PROMOTION_OIDC_ISSUER": provider.issuer,
            "PROMOTION_OIDC_AUDIENCE": "the-api",
            "PROMOTION_OIDC_JWKS_URL": f"{provider.issuer}/keys",
            "PROMOTION_OIDC_CLIENT_ID": CLIENT_ID,
            "PROMOTION_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "PROMOTION_CONSOLE_URL": f"http://127.0.0.1:{port}/",
            **more,
        }
    )


@pytest.fixture
async def browser(database: str, port: int, provider: Provider) -> AsyncIterator[Browser]:
    # It takes its time, so that a busy machine is no outage.
    ingress = build_service(settings_of(database, port, provider), answer_seconds=10)
    stopping = asyncio.Event()
    running = asyncio.create_task(ingress.run(stopping))
    async with asyncio.timeout(30):
        while not (await ingress.readiness()).ready:
            await asyncio.sleep(0.01)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Browser(f"http://127.0.0.1:{port}", session)
    stopping.set()
    async with asyncio.timeout(10):
        await running


async def test_who_comes_back_is_signed_in_as_whom_the_provider_says(browser: Browser, provider: Provider) -> None:
    status, _, arrived = await browser.sign_in()
    shown, _, page = await browser.get("/promotions?status=pending")

    assert status == 200
    assert 'url=/promotions?status=pending"' in arrived
    assert shown == 200
    assert "<b>alice</b>acme" in page
    session = browser.set["session"]
    assert (session["samesite"].lower(), bool(session["httponly"]), session["max-age"]) == ("strict", True, "3600")
    assert "sign-in" not in browser.cookies


async def test_what_is_asked_of_the_provider_is_what_the_specification_wants(
    browser: Browser, provider: Provider
) -> None:
    await browser.sign_in()

    (asked,), (form,) = provider.asked, provider.exchanged
    assert (asked["response_type"], asked["scope"], asked["code_challenge_method"]) == ("code", "openid", "S256")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) == 43
    assert (form["grant_type"], len(form["code_verifier"])) == ("authorization_code", 43)
    assert "client_secret" not in form
    lax = browser.set["sign-in"]
    assert (lax["samesite"].lower(), bool(lax["httponly"])) == ("lax", True)


async def test_nothing_is_the_same_the_second_time(browser: Browser, provider: Provider) -> None:
    await browser.sign_in()
    await browser.sign_in()

    first, second = provider.asked
    assert not {first[name] for name in ("state", "nonce", "code_challenge")} & {
        second[name] for name in ("state", "nonce", "code_challenge")
    }


async def test_an_answer_that_was_not_asked_for_here_signs_nobody_in(browser: Browser, provider: Provider) -> None:
    _, leaving, _ = await browser.get("/sign-in/issuer")
    _, back, _ = await browser.get(leaving)
    stranger = Browser(browser.url, browser.session)
    other = parse_qs(urlsplit(back).query)

    without_cookie = await stranger.get(back, site="cross-site")
    await stranger.get("/sign-in/issuer")
    with_another_state = await stranger.get(back, site="cross-site")

    assert other["code"]
    assert (without_cookie[0], with_another_state[0]) == (400, 403)
    assert "session" not in stranger.cookies
    assert provider.exchanged == []


async def test_an_answer_of_another_issuer_is_refused(browser: Browser, provider: Provider) -> None:
    _, leaving, _ = await browser.get("/sign-in/issuer")
    _, back, _ = await browser.get(leaving)
    mixed_up = back.replace(urlencode({"iss": provider.issuer}), "iss=https://other.example")

    status, _, said = await browser.get(mixed_up, site="cross-site")

    assert mixed_up != back
    assert status == 403
    assert "another issuer" in said
    assert provider.exchanged == []


async def test_a_code_is_good_once(browser: Browser, provider: Provider) -> None:
    _, leaving, _ = await browser.get("/sign-in/issuer")
    _, back, _ = await browser.get(leaving)
    kept = dict(browser.cookies)
    await browser.get(back, site="cross-site")
    thief = Browser(browser.url, browser.session, cookies=kept)

    status, _, said = await thief.get(back, site="cross-site")

    assert status == 403
    assert "invalid_grant" in said
    assert "session" not in thief.cookies


@pytest.mark.parametrize(
    "spoilt",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "the-api"}, {"aud": [CLIENT_ID, "other"]},
        {"aud": [CLIENT_ID, "other"], "azp": "other"}, {"azp": "other"}, {"iss": "https://other.example"},
        {"exp": 1}, {"organization_id": None}, {"sub": "a b"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    browser: Browser, provider: Provider, spoilt: dict[str, Any]
) -> None:
    def spoil(claims: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in (claims | spoilt).items() if value is not None}

    provider.spoil = spoil

    status, _, said = await browser.sign_in()

    assert status == 403
    assert 'role="alert"' in said
    assert "session" not in browser.cookies


async def test_a_token_for_several_that_was_issued_to_us_is_taken(browser: Browser, provider: Provider) -> None:
    provider.spoil = lambda claims: claims | {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}

    assert (await browser.sign_in())[0] == 200


async def test_what_another_key_signed_is_refused(browser: Browser, provider: Provider) -> None:
    provider.header = {"kid": "unknown"}

    status, _, said = await browser.sign_in()

    assert status == 403
    assert "not one of the issuer" in said


@pytest.mark.parametrize(("error", "said"), [("access_denied", "access_denied"), ("<script>", "it does not say why")])
async def test_a_no_of_the_provider_is_told(browser: Browser, provider: Provider, error: str, said: str) -> None:
    provider.refuses = error

    status, _, page = await browser.sign_in()

    assert status == 403
    assert said in page
    assert "<script>" not in page


async def test_trouble_of_the_provider_is_trouble_and_no_refusal(browser: Browser, provider: Provider) -> None:
    provider.token_status = 500

    assert (await browser.sign_in())[0] == 503


async def test_somebody_without_a_role_is_told_who_he_is(browser: Browser, provider: Provider) -> None:
    provider.person = {"sub": "bob", "organization_id": "acme", "roles": ["somebody"]}

    status, _, said = await browser.sign_in()

    assert status == 403
    assert "You are bob of acme" in said
    assert "session" not in browser.cookies


async def test_an_organization_is_only_ever_its_own(browser: Browser, provider: Provider) -> None:
    provider.person = {"sub": "gus", "organization_id": "globex", "roles": ["admin"]}
    await browser.sign_in()

    _, _, page = await browser.get("/webhooks")

    assert "<b>gus</b>globex" in page
    assert "There is none yet" in page


async def test_a_token_makes_nobody_an_operator(browser: Browser, provider: Provider) -> None:
    provider.person = {"sub": "oscar", "organization_id": "acme", "roles": ["viewer", "operator", "delegate"]}
    await browser.sign_in()

    assert "They are for administrators and operators" in (await browser.get("/dead-letters"))[2]


async def test_nobody_is_sent_elsewhere_afterwards(browser: Browser, provider: Provider) -> None:
    _, _, arrived = await browser.sign_in("//evil.example/")

    assert "evil.example" not in arrived


async def test_signing_out_ends_the_session_and_offers_to_end_the_providers(
    browser: Browser, provider: Provider
) -> None:
    await browser.sign_in()
    kept = dict(browser.cookies)

    _, after, _ = await browser.get("/sign-out", method="POST")
    _, _, page = await browser.get(after)
    thief = Browser(browser.url, browser.session, cookies=kept)

    assert "session" not in browser.cookies
    assert f'href="{provider.issuer}/farewell?client_id={CLIENT_ID}"' in page
    assert (await thief.get("/promotions"))[0] == 303


async def test_the_form_for_keys_stays(browser: Browser) -> None:
    _, _, page = await browser.get("/sign-in?next=/rules")

    assert 'href="/sign-in/issuer?next=/rules"' in page
    assert "API key" in page


async def test_a_provider_that_is_another_one_than_configured_is_not_believed(
    browser: Browser, provider: Provider
) -> None:
    provider.configuration = {"issuer": "https://other.example"}

    status, _, said = await browser.get("/sign-in/issuer")

    assert status == 503
    assert "cannot be asked now" in said


async def test_the_secret_goes_into_the_form_where_the_provider_wants_it_there(
    browser: Browser, provider: Provider
) -> None:
    provider.configuration = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    status, _, _ = await browser.sign_in()

    assert status == 200
    assert provider.exchanged[0]["client_secret"] == CLIENT_SECRET
