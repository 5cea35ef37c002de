"""Spans are told of what has happened for good; where nobody takes them none are kept."""

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType

import pytest
from opentelemetry.sdk.resources import Resource

from schemas.traces import TraceContext
from services.platform import tracing
from services.platform.settings import ConfigurationError
from services.platform.tracing import Span
from services.platform.tracing.configuration import tracing_from_environment
from services.platform.tracing.otlp import readable

PLACE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
SPAN = Span("promotion", "step", PLACE, None, datetime(2026, 1, 1, tzinfo=UTC))
OTHER = Span("rules", "evaluated", PLACE, None, datetime(2026, 1, 1, tzinfo=UTC))


class Taken:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.closed = False

    def take(self, spans: Sequence[Span]) -> None:
        self.spans += spans

    def close(self) -> None:
        self.closed = True


def roll_back(span: Span) -> None:
    with tracing.holding():
        tracing.after_commit([span])
        raise RuntimeError("rolled back")


def test_nothing_is_taken_where_traces_are_off() -> None:
    assert not tracing.is_on()

    tracing.emit(SPAN)
    tracing.after_commit([SPAN])


def test_they_are_on_as_long_as_somebody_takes_them() -> None:
    taken = Taken()

    with tracing.exporting(taken):
        assert tracing.is_on()
        tracing.emit(SPAN)

    assert not tracing.is_on()
    assert (taken.spans, taken.closed) == ([SPAN], True)


def test_what_is_held_is_told_at_a_good_end_and_not_before() -> None:
    taken = Taken()
    with tracing.exporting(taken), tracing.holding():
        tracing.after_commit([SPAN])
        before = list(taken.spans)

    assert (before, taken.spans) == ([], [SPAN])


def test_what_did_not_come_about_is_never_told() -> None:
    taken = Taken()
    with tracing.exporting(taken):
        with pytest.raises(RuntimeError, match="rolled back"):
            roll_back(SPAN)
        with tracing.holding():
            tracing.after_commit([OTHER])

    assert taken.spans == [OTHER]


def test_a_transaction_within_another_tells_its_own() -> None:
    taken = Taken()
    with tracing.exporting(taken), tracing.holding():
        tracing.after_commit([SPAN])
        with pytest.raises(RuntimeError, match="rolled back"):
            roll_back(OTHER)
        within = list(taken.spans)

    assert (within, taken.spans) == ([], [SPAN])


def test_who_is_not_recorded_is_not_sent() -> None:
    taken = Taken()
    with tracing.exporting(taken):
        tracing.emit(Span("rules", "evaluated", PLACE._replace(is_sampled=False), None, SPAN.began_at))

    assert taken.spans == []


@pytest.mark.parametrize(
    "environment",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"}],
)
def test_without_an_endpoint_they_are_off(environment: dict[str, str]) -> None:
    with tracing_from_environment(instance="one", environment=environment):
        assert not tracing.is_on()


def test_an_endpoint_without_the_libraries_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def missing(
        name: str,
        scope: Mapping[str, object] | None = None,
        local: Mapping[str, object] | None = None,
        wanted: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        if name == "services.platform.tracing.otlp":
            raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")
        return really(name, scope, local, wanted, level)

    monkeypatch.setattr(builtins, "__import__", missing)

    with pytest.raises(ConfigurationError, match=r"environment-promotion\[tracing\]"):
        tracing_from_environment(instance="one", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


def test_what_leaves_holds_no_secret() -> None:
    secrets = {"url.full": "https://svc:hunter2hunter2@gw.example/x", "said": "Bearer hunter2hunter2", "count": 2}
    span = replace(SPAN, attributes=secrets, error="401 for Bearer hunter2hunter2")

    sent = readable(span, resource=Resource.get_empty(), ended_ns=0)

    assert "hunter2" not in f"{dict(sent.attributes or {})} {sent.status.description}"
    assert (sent.attributes or {})["count"] == 2
