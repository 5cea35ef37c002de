"""Asking the issuer where to go: once for all who come at a time, and soon again after it was away."""

import asyncio
import json

import pytest

from services.platform.clock import utc_now
from services.platform.jwks import FetchFailed, KeySet, TokenVerifier
from services.platform.sign_in import FRESH_SECONDS, MIN_INTERVAL_SECONDS, Attempt, Client, IssuerUnavailable, SignIn
from services.platform.tokens import TokenRules

ISSUER = "https://id.example"


class Issuer:
    """Says of itself what it is asked for, when it is there."""

    def __init__(self) -> None:
        self.asked = 0
        self.seconds = 0.0
        self.away = False
        self.path = "/authorize"
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self) -> bytes:
        self.asked += 1
        await self.answers.wait()
        if self.away:
            raise FetchFailed("away")
        found = {"issuer": ISSUER, "authorization_endpoint": ISSUER + self.path, "token_endpoint": f"{ISSUER}/token"}
        return json.dumps(found).encode()

    def sign_in(self) -> SignIn:
        rules = TokenRules(issuer=ISSUER, audience="console")
        keys = KeySet(self.fetch, elapsed=lambda: self.seconds)
        client = Client(id="console", secret=None, redirect_uri="https://console.example/back", scope="openid")
        return SignIn(
            ISSUER, client, verifier=TokenVerifier(rules, keys, utc_now), fetch=self.fetch, post=_post,
            elapsed=lambda: self.seconds,
        )  # fmt: skip


async def _post(*_given: object) -> tuple[int, bytes]:
    raise AssertionError("nothing is exchanged")


async def test_two_who_come_first_wait_for_one_answer() -> None:
    issuer = Issuer()
    issuer.answers.clear()
    sign_in = issuer.sign_in()
    both = [asyncio.create_task(sign_in.leave(Attempt.new("/"))) for _ in range(2)]
    for _ in range(3):
        await asyncio.sleep(0)

    issuer.answers.set()
    left = await asyncio.gather(*both)

    assert [address.partition("?")[0] for address in left] == [f"{ISSUER}/authorize"] * 2
    assert issuer.asked == 1


async def test_who_goes_away_while_it_waits_takes_the_answer_from_nobody() -> None:
    issuer = Issuer()
    issuer.answers.clear()
    sign_in = issuer.sign_in()
    gone, staying = (asyncio.create_task(sign_in.leave(Attempt.new("/"))) for _ in range(2))
    for _ in range(3):
        await asyncio.sleep(0)

    gone.cancel()
    issuer.answers.set()

    assert (await staying).startswith(f"{ISSUER}/authorize?")


async def test_an_issuer_that_was_away_is_asked_again_after_a_pause() -> None:
    issuer = Issuer()
    sign_in = issuer.sign_in()
    await sign_in.leave(Attempt.new("/"))
    issuer.seconds, issuer.away = FRESH_SECONDS, True
    kept = await sign_in.leave(Attempt.new("/"))

    issuer.seconds, issuer.away, issuer.path = FRESH_SECONDS + MIN_INTERVAL_SECONDS, False, "/moved"
    renewed = await sign_in.leave(Attempt.new("/"))

    assert kept.startswith(f"{ISSUER}/authorize?")
    assert renewed.startswith(f"{ISSUER}/moved?")


async def test_an_issuer_that_is_away_is_not_asked_for_everybody() -> None:
    issuer = Issuer()
    issuer.away = True
    sign_in = issuer.sign_in()

    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            await sign_in.leave(Attempt.new("/"))

    assert issuer.asked == 1
