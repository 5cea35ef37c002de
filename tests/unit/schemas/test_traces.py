"""Trace contexts as W3C writes them, and ids that follow from what they stand for."""

from uuid import UUID

import pytest

from schemas.traces import TraceContext, parent_in, read_traceparent, span_id_of, trace_id_of, trace_of

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PROMOTION = UUID("471a1750-715d-4948-832b-8038d67c6e6a")


@pytest.mark.parametrize(
    ("given", "is_sampled"),
    [
        (f"00-{TRACE_ID}-{SPAN_ID}-01", True),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", False),
        (f"00-{TRACE_ID}-{SPAN_ID}-03", True),
        (f"01-{TRACE_ID}-{SPAN_ID}-01-what-is-to-come", True),
    ],
)
def test_a_traceparent_is_read(given: str, is_sampled: bool) -> None:
    assert read_traceparent(given) == TraceContext(TRACE_ID, SPAN_ID, is_sampled)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f"00-{TRACE_ID[:-1]}\u0661-{SPAN_ID}-01",
    ],
)
def test_what_is_no_traceparent_is_none(given: str | None) -> None:
    assert read_traceparent(given) is None


def test_what_is_written_is_read_again() -> None:
    for place in (TraceContext(TRACE_ID, SPAN_ID), TraceContext(TRACE_ID, SPAN_ID, is_sampled=False)):
        assert read_traceparent(str(place)) == place


def test_a_promotion_has_the_trace_that_came_with_its_request_else_its_own_id() -> None:
    assert trace_id_of(PROMOTION, f"00-{TRACE_ID}-{SPAN_ID}-01") == TRACE_ID
    assert trace_id_of(PROMOTION, None) == trace_id_of(PROMOTION, "garbage") == PROMOTION.hex
    assert read_traceparent(str(trace_of("acme", UUID(int=0), None, step="request"))) is not None


def test_steps_have_places_of_their_own_that_a_repeat_finds_again() -> None:
    places = {
        span_id_of(organization, promotion, step)
        for organization in ("acme", "globex")
        for promotion in (PROMOTION, UUID(int=1))
        for step in ("request", "step 1", "step 2")
    }

    assert len(places) == 12
    assert span_id_of("acme", PROMOTION, "step 1") == span_id_of("acme", PROMOTION, "step 1")


def test_who_is_not_recorded_stays_so() -> None:
    place = trace_of("acme", PROMOTION, f"00-{TRACE_ID}-{SPAN_ID}-00", step="request")

    assert (place.trace_id, place.is_sampled) == (TRACE_ID, False)


def test_a_parent_is_one_of_the_same_trace() -> None:
    assert parent_in(TRACE_ID, f"00-{TRACE_ID}-{SPAN_ID}-01") == SPAN_ID
    assert parent_in(PROMOTION.hex, f"00-{TRACE_ID}-{SPAN_ID}-01") is None
