"""What the URL of a webhook has to look like; where it may lead is for who connects to it."""

_BEYOND_URL = frozenset(' "<>\\^`{|}')


class WrongUrl(ValueError):
    """The text is not a URL under which a webhook may be registered; the message says why."""


def webhook_url(text: str) -> str:
    """Give ``text`` where its characters are those of a URL; raises WrongUrl."""
    if any(not "!" <= character <= "~" or character in _BEYOND_URL for character in text):
        raise WrongUrl("has characters that a URL cannot have; encode them, and write a host of other letters as xn--")
    if "#" in text:
        raise WrongUrl("has a fragment, which is never sent; leave it out")
    return text
