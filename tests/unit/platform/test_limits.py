"""Nobody calls more often than the policy says, and everybody is told where they stand."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from schemas.vocabulary import Role
from services.platform.grants import Grants
from services.platform.http.limits import BURST_SECONDS, MAX_BUCKETS, Buckets, Limits, RateLimitHeaders
from services.platform.http.problems import Problem
from services.platform.identity import Principal


@dataclass
class Elapsed:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def person(name: str = "alice", organization: str = "acme", via: str | None = None) -> Principal:
    return Principal(organization, name, Grants.of(Role.VIEWER), "k1", via=via)


def limits(elapsed: Elapsed, *, principal: float = 1, organization: float = 5) -> Limits:
    return Limits(Buckets("principal", principal), Buckets("organization", organization), elapsed)


def passed(limit: Limits, caller: Principal, calls: int) -> int:
    count = 0
    for _ in range(calls):
        try:
            limit.check(caller, {})
        except Problem:
            continue
        count += 1
    return count


def test_a_burst_passes_and_then_what_the_rate_gives() -> None:
    elapsed = Elapsed()
    limit = limits(elapsed)

    assert passed(limit, person(), 100) == BURST_SECONDS
    elapsed.seconds += 3
    assert passed(limit, person(), 100) == 3


def test_a_refusal_says_when_to_come_again_and_then_it_passes() -> None:
    elapsed = Elapsed()
    limit = limits(elapsed, principal=0.25)
    passed(limit, person(), 100)

    with pytest.raises(Problem) as caught:
        limit.check(person(), {})

    assert caught.value.status == 429
    assert caught.value.headers is not None
    wait = int(caught.value.headers["Retry-After"])
    elapsed.seconds += wait - 0.5
    assert passed(limit, person(), 1) == 0
    elapsed.seconds += 0.5
    assert passed(limit, person(), 1) == 1


def test_other_people_are_not_held_up_but_their_organization_is_limited_as_a_whole() -> None:
    limit = limits(Elapsed())

    everybody = sum(passed(limit, person(f"p{number}"), 100) for number in range(10))

    assert everybody == 5 * BURST_SECONDS
    assert passed(limit, person(organization="globex"), 1) == 1


def test_a_person_is_counted_once_however_it_is_spelt_and_whichever_key_is_used() -> None:
    limit = limits(Elapsed())

    assert passed(limit, person("alice"), 100) + passed(limit, person("ALICE"), 100) == BURST_SECONDS


def test_a_delegate_is_counted_as_itself_whomever_it_names() -> None:
    limit = limits(Elapsed())

    everybody = sum(passed(limit, person(f"p{number}", via="facade"), 100) for number in range(10))

    assert everybody == BURST_SECONDS


def test_who_is_refused_costs_the_organization_nothing() -> None:
    limit = limits(Elapsed())

    passed(limit, person(), 1000)

    assert passed(limit, person("bob"), 100) == BURST_SECONDS


def test_no_limit_is_no_limit() -> None:
    limit = limits(Elapsed(), principal=0, organization=0)

    assert passed(limit, person(), 1000) == 1000


def test_strangers_do_not_fill_the_memory() -> None:
    elapsed = Elapsed()
    buckets = Buckets("principal", 1)

    for number in range(MAX_BUCKETS * 2):
        buckets.take(str(number), elapsed())

    assert len(buckets._level) <= MAX_BUCKETS


@given(
    rate=st.floats(min_value=0.1, max_value=50),
    pauses=st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=60),
)
def test_over_any_time_no_more_passes_than_the_burst_and_the_rate(rate: float, pauses: list[float]) -> None:
    elapsed = Elapsed()
    limit = limits(elapsed, principal=rate, organization=0)
    count = 0

    for pause in pauses:
        elapsed.seconds += pause
        count += passed(limit, person(), 3)

    assert count <= math.ceil(rate * BURST_SECONDS) + rate * sum(pauses) + 1e-6


async def test_every_answer_tells_where_the_caller_stands() -> None:
    limit = limits(Elapsed())
    sent: list[Message] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        limit.check(person(), scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http"}
    await RateLimitHeaders(app)(scope, receive, send)

    headers = dict(sent[0]["headers"])
    assert headers[b"ratelimit-policy"] == b'"principal";q=10;w=10, "organization";q=50;w=10'
    assert headers[b"ratelimit"] == b'"principal";r=9;t=1, "organization";r=49;t=1'
