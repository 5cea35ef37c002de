"""With traces on: spans come with the commit, and what is sent again is the same bytes all the same."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from schemas import topics
from schemas.cloudevents import encode
from schemas.traces import TraceContext, read_traceparent
from services.platform import tracing
from services.platform.tracing import Span
from services.promotion import upkeep
from tests.integration.promotion.api import Api
from tests.integration.promotion.house import REDRIVE_AFTER, House


class Taken:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def take(self, spans: Sequence[Span]) -> None:
        self.spans += spans

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def taken() -> Iterator[Taken]:
    taken = Taken()
    with tracing.exporting(taken):
        yield taken


async def test_the_request_that_was_sent_again_leads_back_to_the_same_span(api: Api, taken: Taken) -> None:
    house = api.house
    await api.create()
    first = (await house.told(topics.PROMOTION_REQUESTED))[-1]
    await house.forget_told()

    house.pass_time(timedelta(seconds=60))
    async with house.database.begin() as connection:
        await upkeep.redrive(connection, house.outbox, now=house.now, redrive_after=REDRIVE_AFTER)

    again = (await house.told(topics.PROMOTION_REQUESTED))[-1]
    assert encode(again) == encode(first)
    place = read_traceparent(again.extensions["traceparent"])
    assert place in [span.place for span in taken.spans if span.name == "promotion pending/evaluating"]


async def begin_and_fail(house: House, span: Span) -> None:
    async with house.database.begin():
        tracing.after_commit([span])
        raise RuntimeError("changed its mind")


async def test_a_transaction_that_is_rolled_back_leaves_no_span(house: House, taken: Taken) -> None:
    span = Span("promotion", "step", TraceContext("a" * 32, "b" * 16), None, house.now)

    with pytest.raises(RuntimeError, match="changed its mind"):
        await begin_and_fail(house, span)
    async with house.database.begin():
        tracing.after_commit([replace(span, name="another step")])

    assert [span.name for span in taken.spans] == ["another step"]
