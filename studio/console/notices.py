"""One sentence that the next page shows: what is known to have come of what was just asked, and no more.

It travels in a cookie under a signature with the session's own token, so that nobody else can put words there.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Literal

MAX_CHARACTERS = 600

Tone = Literal["done", "trouble"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence and whether it tells of trouble."""

    tone: Tone
    text: str


def sealed(notice: Notice, token: str) -> str:
    """Write a notice for the cookie of the session with ``token``."""
    # As they are, so that the longest in any script fits a cookie.
    said = json.dumps([notice.tone, notice.text[:MAX_CHARACTERS]], ensure_ascii=False)
    words = base64.urlsafe_b64encode(said.encode()).decode()
    return f"{words}.{_seal(words, token)}"


def unsealed(cookie: str, token: str) -> Notice | None:
    """Read a cookie; None for one that was not written here for this session."""
    words, _, seal = cookie.partition(".")
    if not cookie.isascii() or not hmac.compare_digest(seal, _seal(words, token)):
        return None
    tone, said = json.loads(base64.urlsafe_b64decode(words))
    return Notice("trouble" if tone == "trouble" else "done", str(said))


def _seal(words: str, token: str) -> str:
    return hmac.new(token.encode(), b"notice" + words.encode(), hashlib.sha256).hexdigest()
