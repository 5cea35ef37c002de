"""Signing in at an identity provider on another site, in a real browser: which cookies it sends where is its to say."""

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from services.ingress.app import build_service
from studio.local.ports import claim_port
from tests.browser.test_pages import findings
from tests.fixtures.oidc import Provider, providing
from tests.integration.console.test_issuer_sign_in import settings_of


@dataclass
class Site:
    """A console and the provider at which one signs in to it; to a browser they are different sites."""

    url: str
    provider: Provider


@pytest.fixture
def site(database: str) -> Iterator[Site]:
    """Both run in a thread with a loop of its own: Playwright's own one runs in this thread."""
    port = claim_port(None, server="the console")
    opened: list[Site] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with providing(f"http://127.0.0.1:{port}/sign-in/callback") as provider:
            ingress = build_service(settings_of(database, port, provider), answer_seconds=10)
            stopping = asyncio.Event()
            running = asyncio.create_task(ingress.run(stopping))
            while not (await ingress.readiness()).ready:
                await asyncio.sleep(0.01)
            opened.append(Site(f"http://127.0.0.1:{port}", provider))
            ready.set()
            await asyncio.to_thread(over.wait)
            stopping.set()
            await running

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(60)
    yield opened[0]
    over.set()
    thread.join(20)


def test_one_click_leads_to_the_provider_and_back_to_what_was_wanted(browser: Browser, site: Site, axe: str) -> None:
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    page.goto("/rules")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/rules$"))
    at_the_door = findings(page, axe)

    page.get_by_role("link", name="Sign in at your identity provider").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Rules")
    expect(page.get_by_text("alice")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in context.cookies(site.url)}
    assert at_the_door == []
    assert (cookies["session"]["sameSite"], cookies["session"]["httpOnly"]) == ("Strict", True)
    assert "sign-in" not in cookies

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("link", name="sign out there too")).to_have_attribute(
        "href", re.compile(re.escape(site.provider.issuer))
    )
    page.goto("/rules")
    expect(page).to_have_url(re.compile("/sign-in"))
    context.close()


def test_a_no_of_the_provider_is_told_where_one_can_try_again(browser: Browser, site: Site, axe: str) -> None:
    site.provider.refuses = "access_denied"
    context = browser.new_context(base_url=site.url)
    page = context.new_page()

    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in at your identity provider").click()

    expect(page.get_by_role("alert")).to_contain_text("access_denied")
    assert findings(page, axe) == []
    context.close()
