"""The one place that speaks HTTP to webhooks: one attempt, one answer or the reason why there is none.

It follows no redirect, uses no proxy, keeps no cookie and reads of an answer its beginning alone.
"""

import codecs
from collections.abc import Sequence
from datetime import datetime

import aiohttp
from yarl import URL

from services.notifications.domain.course import Answer, Delivery, NoAnswer, Reply
from services.notifications.domain.hook import Hook
from services.notifications.domain.signing import headers
from services.notifications.sealing import open_secrets
from services.platform.outward import WEBHOOK_NETWORKS, Network, check_url
from services.platform.outward_calls import PLAIN_ANSWERS, AddressGuard, WrongAnswer, open_session, read_answer
from services.platform.redaction import redacted_text
from services.platform.vault import NotOpened, Vault

MAX_ANSWER_BYTES = 64 * 1024
KEPT_CHARACTERS = 500
_OWN_HEADERS = {"Content-Type": "application/json", "User-Agent": "environment-promotion", **PLAIN_ANSWERS}


class Sender:
    """Sends deliveries; ``timeout_seconds`` bounds each attempt whole.

    It connects to public addresses and to those in ``allowed``, and opens secrets with ``vault``.
    """

    def __init__(self, *, timeout_seconds: float, vault: Vault, allowed: Sequence[Network] = ()) -> None:
        self._timeout_seconds = timeout_seconds
        self._vault = vault
        self._allowed = tuple(allowed)
        self._guard = AddressGuard(self._allowed)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, delivery: Delivery, hook: Hook, *, now: datetime) -> Reply:
        """Make one attempt; whatever goes wrong is a NoAnswer."""
        try:
            check_url(hook.url, self._allowed, setting=WEBHOOK_NETWORKS)
            url = URL(hook.url)
            signed = headers(delivery.event_id, delivery.body, open_secrets(self._vault, hook, now=now), now=now)
        except (ValueError, NotOpened) as error:
            return NoAnswer(f"nothing was sent: the webhook's URL or secret cannot be used: {error}"[:300])
        self._session = self._session or open_session(self._guard, timeout_seconds=self._timeout_seconds, keep=False)
        try:
            async with self._session.post(
                url, data=delivery.body.encode(), headers={**_OWN_HEADERS, **signed}, allow_redirects=False
            ) as response:
                return await _read(response)
        except TimeoutError:
            return NoAnswer(f"no answer within {self._timeout_seconds:g} s")
        except aiohttp.ClientResponseError as error:
            # As it is written it names the whole address, which may be a secret of its own.
            return NoAnswer(_plain(redacted_text(f"what came is not HTTP: {error.message}"))[:300])
        except aiohttp.InvalidURL:
            return NoAnswer("nothing was sent: the webhook's URL cannot be called")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NoAnswer(_plain(f"{type(error).__name__} {error}")[:300])

    async def close(self) -> None:
        """Drop every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _read(response: aiohttp.ClientResponse) -> Answer:
    try:
        body = await read_answer(response, most_bytes=MAX_ANSWER_BYTES)
    except WrongAnswer as error:
        # The status says whether it was taken; what else it said does not matter.
        return Answer(response.status, f"({error})", _retry_after(response))
    # What is cut off in the middle of a character ends before it.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(body[: KEPT_CHARACTERS * 4])
    return Answer(response.status, _plain(redacted_text(text))[:KEPT_CHARACTERS], _retry_after(response))


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdecimal() and len(given) < 10 else None


def _plain(text: str) -> str:
    # PostgreSQL takes no NUL, and nobody who looks at it wants other control characters.
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
