"""The issuer's keys: fetched over HTTP, kept, and fetched anew when they are old or a token names an unknown one.

However many unknown keys tokens name, the issuer is asked at most once in MIN_INTERVAL_SECONDS.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import structlog

from schemas import strict_json
from services.platform.clock import Clock
from services.platform.identity import Principal
from services.platform.tokens import (
    TokenRules,
    TrustedKey,
    WrongToken,
    principal_of,
    read_claims,
    read_header,
    read_key,
)

FRESH_SECONDS = 300.0
# The keys of an issuer that cannot be reached are believed so long.
KEPT_SECONDS = 86_400.0
MIN_INTERVAL_SECONDS = 10.0
FETCH_SECONDS = 1.2
MAX_DOCUMENT_BYTES = 262_144
MAX_KEYS = 100

Fetch = Callable[[], Awaitable[bytes]]

_log = structlog.get_logger()


class KeysUnavailable(Exception):
    """The issuer's keys are not known and could not be fetched: nobody knows whether a token is good."""


class FetchFailed(Exception):
    """The issuer did not give its keys."""


def read_key_set(document: bytes) -> dict[str, TrustedKey]:
    """Read a JWK Set; keys that are not taken, or share their id with another, are left out; raises FetchFailed."""
    try:
        parsed = strict_json.parse(document)
    except strict_json.NotJson as error:
        raise FetchFailed(f"the key set is not JSON: {error}") from None
    listed = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise FetchFailed(f"the key set has no list of at most {MAX_KEYS} keys")
    keys = [read_key(item) for item in listed if isinstance(item, dict)]
    counts = Counter(item.get("kid") for item in listed if isinstance(item, dict) and isinstance(item.get("kid"), str))
    return {key.id: key for key in keys if key is not None and counts[key.id] == 1}


class KeySet:
    """The issuer's keys as far as they are known; ``elapsed`` gives seconds that never go backwards."""

    def __init__(self, fetch: Fetch, *, elapsed: Callable[[], float]) -> None:
        self._fetch = fetch
        self._elapsed = elapsed
        self._keys: dict[str, TrustedKey] | None = None
        self._fetched_at = 0.0
        self._asked_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> TrustedKey | None:
        """Give the key, or None where the issuer has none of that id; raises KeysUnavailable."""
        if not self._knows(key_id):
            await self._refresh()
        if self._keys is None or self._elapsed() - self._fetched_at > KEPT_SECONDS:
            raise KeysUnavailable("the issuer's keys cannot be fetched")
        return self._keys.get(key_id)

    def _knows(self, key_id: str) -> bool:
        return self._keys is not None and key_id in self._keys and self._elapsed() - self._fetched_at < FRESH_SECONDS

    async def _refresh(self) -> None:
        if self._refreshing is None:
            if self._asked_at is not None and self._elapsed() - self._asked_at < MIN_INTERVAL_SECONDS:
                return
            self._asked_at = self._elapsed()
            self._refreshing = asyncio.create_task(self._fetch_keys())
        # Whoever goes away while it waits takes the answer from nobody else.
        await asyncio.shield(self._refreshing)

    async def _fetch_keys(self) -> None:
        try:
            self._keys = read_key_set(await self._fetch())
            self._fetched_at = self._elapsed()
        except FetchFailed as error:
            _log.warning("issuer's keys not fetched", error=str(error))
        finally:
            self._refreshing = None


def fetch_from(url: str) -> Fetch:
    """Give what fetches ``url``: no redirect, no proxy, bounded in time and size."""

    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False, auto_decompress=False) as session,
                session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
            ):
                if response.status != 200:
                    raise FetchFailed(f"the issuer answered {response.status}")
                document = bytearray()
                async for chunk in response.content.iter_any():
                    document += chunk
                    if len(document) > MAX_DOCUMENT_BYTES:
                        raise FetchFailed(f"the key set has more than {MAX_DOCUMENT_BYTES} bytes")
                return bytes(document)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise FetchFailed(f"{type(error).__name__}: {error}"[:300]) from None

    return fetch


class TokenVerifier:
    """Says for whom a bearer token of the issuer stands."""

    def __init__(self, rules: TokenRules, keys: KeySet, clock: Clock) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock

    async def verify(self, token: str) -> Principal:
        """Give the token's principal; raises WrongToken, or KeysUnavailable where that cannot be said now."""
        return (await self.verify_whole(token))[1]

    async def verify_whole(self, token: str) -> tuple[Mapping[str, Any], Principal]:
        """Give what a token says with its principal; raises as ``verify`` does."""
        header = read_header(token)
        key = await self._keys.find(header.key_id)
        if key is None:
            raise WrongToken("the key that it names is not one of the issuer's")
        claims = read_claims(token, key, self._rules, now=self._clock())
        return claims, principal_of(claims, self._rules)
