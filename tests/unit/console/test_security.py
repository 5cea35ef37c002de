"""Which requests a page's own browser makes, and where nobody is sent."""

import pytest

from studio.console.security import HEADERS, from_own_page, local_path

HOST = {"host": "console.example:8080"}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "origin": "https://console.example:8080"},
        {"origin": "https://console.example:8080"},
        {"origin": "https://CONSOLE.example:8080"},
    ],
)
def test_a_form_of_the_console_itself_may_change_something(headers: dict[str, str]) -> None:
    assert from_own_page({**HOST, **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "https://console.example:8080"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://["},
        {"origin": "ftp://console.example:8080"},
        {"origin": "https://console.example"},
        {"origin": "https://console.example:8080.evil.example"},
        {"origin": "https://evil.console.example:8080"},
    ],
)
def test_what_another_site_or_nobody_sends_changes_nothing(headers: dict[str, str]) -> None:
    assert not from_own_page({**HOST, **headers})


def test_without_a_host_nothing_is_its_own() -> None:
    assert not from_own_page({"origin": "https://"})


@pytest.mark.parametrize("target", ["/", "/inbox", "/promotions/1?back=%2F", "/agents/a%7Cb"])
def test_a_path_of_this_site_is_gone_to(target: str) -> None:
    assert local_path(target) == target


@pytest.mark.parametrize(
    "target",
    ["", "inbox", "//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example", "javascript:alert(1)",
     "/a\r\nset-cookie: x", "/\tevil", "/" + "a" * 3000, "/" + "語" * 1000],
)  # fmt: skip
def test_every_other_place_is_home(target: str) -> None:
    assert local_path(target) == "/"


def test_the_policy_allows_nothing_unsafe_and_nothing_from_elsewhere() -> None:
    policy = HEADERS["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'")
