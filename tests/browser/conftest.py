"""Browsers on one running stack, which all tests of this folder share."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, EXECUTABLE, axe_source, unavailable
from tests.browser.office import Office, furnish
from tests.end_to_end.stack import RunningStack

T = TypeVar("T")
SignIn = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not EXECUTABLE.exists():
        unavailable(f"there is no Chromium at {EXECUTABLE}; name one in CHROMIUM")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="package")
def office(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    stack = RunningStack(tmp_path_factory.mktemp("stack"), "--kafka", "embedded")
    yield apart(furnish(stack.ready))
    stack.stop()


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Do ``work`` in a loop of its own: Playwright's own one runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def axe() -> str:
    folder = Path.home() / ".cache" / "environment-promotion" / "axe"
    folder.mkdir(parents=True, exist_ok=True)
    return axe_source(folder)


@pytest.fixture
def sign_in(browser: Browser, office: Office) -> Iterator[SignIn]:
    """Open a browser of one's own, signed in as somebody of the local stack."""
    contexts: list[BrowserContext] = []

    def open_as(name: str, **options: Any) -> Page:
        context = browser.new_context(base_url=office.ready["api"], **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto("/sign-in")
        page.get_by_label("API key").fill(office.ready["tokens"][name])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return page

    yield open_as
    for context in contexts:
        context.close()
