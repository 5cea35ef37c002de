"""The issuer's keys: fetched when they are needed, never more often, and kept while the issuer is away."""

import asyncio
import json

import pytest

from services.platform.jwks import (
    FRESH_SECONDS,
    KEPT_SECONDS,
    MIN_INTERVAL_SECONDS,
    FetchFailed,
    KeySet,
    KeysUnavailable,
)
from tests.conformance.strict_tokens.issuer import ec_key, jwk


class Issuer:
    """Gives the keys that it has, unless it is away; counts who asks."""

    def __init__(self, *kids: str) -> None:
        self.kids = kids
        self.away = False
        self.asked = 0
        self.elapsed = 0.0
        self.gate: asyncio.Event | None = None
        self.keys = KeySet(self.fetch, elapsed=lambda: self.elapsed)

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise FetchFailed("away")
        return json.dumps({"keys": [jwk(ec_key(), kid) for kid in self.kids]}).encode()


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    issuer = Issuer("one")

    found = await asyncio.gather(*(issuer.keys.find("one") for _ in range(100)))

    assert all(key is not None and key.id == "one" for key in found)
    assert issuer.asked == 1


async def test_a_thousand_unknown_keys_make_no_second_request() -> None:
    issuer = Issuer("one")

    found = [await issuer.keys.find(f"unknown-{number}") for number in range(1000)]

    assert set(found) == {None}
    assert issuer.asked == 1


async def test_a_new_key_is_found_without_a_restart() -> None:
    issuer = Issuer("one")
    await issuer.keys.find("one")
    issuer.kids = ("one", "two")

    issuer.elapsed += MIN_INTERVAL_SECONDS
    found = await issuer.keys.find("two")

    assert found is not None
    assert issuer.asked == 2


async def test_a_key_that_the_issuer_took_back_is_believed_no_longer_than_it_is_fresh() -> None:
    issuer = Issuer("one", "two")
    await issuer.keys.find("one")
    issuer.kids = ("two",)

    issuer.elapsed += FRESH_SECONDS - 1
    before = await issuer.keys.find("one")
    issuer.elapsed += 1
    after = await issuer.keys.find("one")

    assert before is not None
    assert after is None


async def test_an_issuer_that_takes_back_every_key_is_believed() -> None:
    issuer = Issuer("one")
    await issuer.keys.find("one")
    issuer.kids = ()

    issuer.elapsed += FRESH_SECONDS

    assert await issuer.keys.find("one") is None


async def test_old_keys_hold_while_the_issuer_is_away_and_it_is_asked_with_pauses() -> None:
    issuer = Issuer("one")
    await issuer.keys.find("one")
    issuer.away = True

    issuer.elapsed += FRESH_SECONDS
    found = [await issuer.keys.find("one") for _ in range(50)]

    assert all(key is not None for key in found)
    assert issuer.asked == 2


async def test_old_keys_do_not_hold_for_ever() -> None:
    issuer = Issuer("one")
    await issuer.keys.find("one")
    issuer.away = True

    issuer.elapsed += KEPT_SECONDS + 1

    with pytest.raises(KeysUnavailable):
        await issuer.keys.find("one")


async def test_without_any_keys_nobody_says_that_a_token_is_wrong() -> None:
    issuer = Issuer("one")
    issuer.away = True

    with pytest.raises(KeysUnavailable):
        await issuer.keys.find("one")
    issuer.away = False
    issuer.elapsed += MIN_INTERVAL_SECONDS
    found = await issuer.keys.find("one")

    assert found is not None


async def test_who_goes_away_while_it_waits_takes_the_keys_from_nobody() -> None:
    issuer = Issuer("one")
    issuer.gate = asyncio.Event()
    impatient = asyncio.create_task(issuer.keys.find("one"))
    patient = asyncio.create_task(issuer.keys.find("one"))
    await asyncio.sleep(0)

    impatient.cancel()
    await asyncio.sleep(0)
    issuer.gate.set()

    assert await patient is not None
    assert issuer.asked == 1
