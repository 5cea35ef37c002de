"""Under which URLs a gateway may be registered."""

import pytest

from services.inventory.domain.gateway_urls import WrongUrl, gateway_url


@pytest.mark.parametrize(
    "url", ["http://gw:8443", "https://gw.example.com", "https://gw/base/", "http://[::1]:80", "http://10.0.0.1:1"]
)
def test_a_plain_address_is_taken_without_its_last_slash(url: str) -> None:
    assert gateway_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "begins with 'file'"),
        ("gw:8443", "begins with 'gw'"),
        ("//gw", "no scheme"),
        ("http://user:secret@gw", "user name"),
        ("http://gw#x", "fragment"),
        ("http://gw?x=1", "query"),
        ("http://", "no host"),
        ("http://:80", "no host"),
        ("http://gw:0", "no host"),
        ("http://gw:99999", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://gw\r\nX-A: b", "characters"),
        ("http://gw\\@evil", "characters"),
        ("http://gäteway", "characters"),
        ("http://gw%00", "no host"),
        ("http://.gw", "no host"),
    ],
)
def test_what_could_lead_elsewhere_is_refused_with_its_reason(url: str, why: str) -> None:
    with pytest.raises(WrongUrl, match=why):
        gateway_url(url)
