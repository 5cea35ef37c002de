"""What the URL of a webhook has to look like."""

import pytest

from services.notifications.domain.urls import WrongUrl, webhook_url


@pytest.mark.parametrize("url", ["https://hooks.example/a?token=b", "http://10.0.0.1:8080", "https://[2001:db8::1]/"])
def test_a_url_stays_as_it_is(url: str) -> None:
    assert webhook_url(url) == url


@pytest.mark.parametrize(
    "url", ["https://hooks.example/a b", "https://hööks.example", "https://a/\r\nX: 1", "https://a/#b"]
)
def test_what_is_none_is_refused(url: str) -> None:
    with pytest.raises(WrongUrl):
        webhook_url(url)
