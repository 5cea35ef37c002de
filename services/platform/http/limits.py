"""How often one principal and one organization may call: token buckets in this process, told in ``RateLimit`` headers.

Each process counts for itself; N of them let N times as much pass.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.principals import principal_key
from services.platform.http.problems import Problem
from services.platform.identity import Principal

# What was saved up may be spent at once: so many seconds' worth.
BURST_SECONDS = 10
MAX_BUCKETS = 20_000
# Where the scope of a request holds what its headers are to say.
_STANDINGS = "promotion.rate_limits"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands with one limit: how many calls are left, and in how many seconds it is whole again."""

    policy: str
    quota: int
    remaining: int
    whole_in_seconds: int


@dataclass(slots=True)
class Buckets:
    """The buckets of one policy; ``per_second`` 0 means that there is no limit."""

    policy: str
    per_second: float
    _level: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def quota(self) -> int:
        """Give how many calls may come at once."""
        return max(1, math.ceil(self.per_second * BURST_SECONDS))

    def available(self, key: str, now: float) -> float:
        """Give how many calls ``key`` has left at ``now``, in seconds that never go backwards."""
        level, at = self._level.get(key, (float(self.quota), now))
        return min(float(self.quota), level + (now - at) * self.per_second)

    def take(self, key: str, now: float) -> Standing:
        """Take one call that is available."""
        left = self.available(key, now) - 1
        if key not in self._level and len(self._level) >= MAX_BUCKETS:
            self._forget_whole(now)
        self._level[key] = (left, now)
        return Standing(self.policy, self.quota, int(left), math.ceil((self.quota - left) / self.per_second))

    def _forget_whole(self, now: float) -> None:
        self._level = {key: kept for key, kept in self._level.items() if self.available(key, now) < self.quota}
        if len(self._level) >= MAX_BUCKETS:
            self._level.clear()


@dataclass(slots=True)
class Limits:
    """The limits of an application; every authenticated call passes ``check``."""

    principal: Buckets
    organization: Buckets
    elapsed: Callable[[], float] = time.monotonic

    def check(self, caller: Principal, scope: Scope) -> None:
        """Count one call; raises a 429 that says when to come again. A call that is refused takes nothing."""
        now = self.elapsed()
        # A delegate is counted as itself, whomever it names.
        person = f"{caller.organization_id}\n{principal_key(caller.via or caller.subject)}"
        counted = [
            (buckets, key)
            for buckets, key in ((self.principal, person), (self.organization, caller.organization_id))
            if buckets.per_second > 0
        ]
        for buckets, key in counted:
            missing = 1 - buckets.available(key, now)
            if missing > 0:
                raise _too_many(buckets, missing / buckets.per_second)
        standings = [buckets.take(key, now) for buckets, key in counted]
        scope.setdefault(_STANDINGS, []).extend(standings)


def limits_of(*, principal_per_second: float, organization_per_second: float) -> Limits:
    """Give limits of so many calls a second."""
    return Limits(Buckets("principal", principal_per_second), Buckets("organization", organization_per_second))


class RateLimitHeaders:
    """Plain ASGI: tells callers in each answer where they stand with their limits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        standings: list[Standing] = []
        scope[_STANDINGS] = standings

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and standings:
                message = {**message, "headers": [*message["headers"], *_headers(standings)]}
            await send(message)

        await self._app(scope, receive, told)


def _headers(standings: list[Standing]) -> list[tuple[bytes, bytes]]:
    policies = ", ".join(f'"{one.policy}";q={one.quota};w={BURST_SECONDS}' for one in standings)
    left = ", ".join(f'"{one.policy}";r={one.remaining};t={one.whole_in_seconds}' for one in standings)
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]


def _too_many(buckets: Buckets, seconds: float) -> Problem:
    wait = max(1, math.ceil(seconds))
    return Problem(
        429,
        "too_many_requests",
        f"the {buckets.policy} made more than {buckets.per_second:g} requests a second; come again in {wait} s",
        headers={
            "Retry-After": str(wait),
            "RateLimit-Policy": f'"{buckets.policy}";q={buckets.quota};w={BURST_SECONDS}',
            "RateLimit": f'"{buckets.policy}";r=0;t={wait}',
        },
    )
