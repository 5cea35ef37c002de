"""Arbitrary conditions that the language accepts, and arbitrary facts, sound and broken ones."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from services.rules.domain.facts import Fact, Facts, Reason
from tests.unit.rules.building import NOW, errors_of
from tests.unit.rules.naive import World

NUMERIC = ("tests.pass_rate", "tests.failed", "metrics.error_rate", "metrics.p95_latency_ms", "metrics.cost_usd")
TEXTUAL = ("tests.outcome", "deployment.version")
PATHS = (*NUMERIC, *TEXTUAL, "tests.passed_suites", "custom.x", "custom.y.z")
AGES = st.sampled_from(["1s", "15m", "59m", "1h", "2h", "90d"])

numbers = st.sampled_from(
    [0, 1, 2, 5, 100, -3, 0.01, 0.1, 0.3, 1.1, 1.21, 99.9999999999, Decimal("33.3"), 2**53 - 1, 100.0, -0.0]
)
texts = st.sampled_from(["success", "failure", "1.2.3", "smoke", "", "é", "true", "1"])
scalars = st.one_of(numbers, texts, st.booleans())
hours = st.sampled_from([Decimal("0.1"), 1, 24, 24.5, Decimal("0.00000000041"), 2**53 - 1])
ages = st.one_of(
    st.sampled_from([0, 1, -60, -300, -301, 899, 900, 3600, 3599, 7200, 90 * 86400, 3 * 10**9]),
    st.integers(-100_000, 100_000),
).map(lambda seconds: timedelta(seconds=seconds))

references = st.fixed_dictionaries(
    {"baseline": st.sampled_from(["target_current", "previous"])},
    optional={"on_missing": st.sampled_from(["unknown", "pass"])},
).flatmap(
    lambda reference: st.sampled_from(
        [reference, *({**reference, key: n} for key in ("percent", "delta") for n in (10, -10, 0, 0.5))]
    )
)


def _leaf(path: str, ops: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"field": st.just(path), "op": st.sampled_from(ops), "value": value},
        optional={"max_age": AGES} if path != "deployment.duration_hours" else {},
    )


ORDER = ["gt", "gte", "lt", "lte"]
raw_leaves = st.one_of(
    st.sampled_from((*NUMERIC, "custom.x")).flatmap(lambda p: _leaf(p, ["eq", "ne", *ORDER], numbers)),
    st.sampled_from((*NUMERIC, "custom.x")).flatmap(lambda p: _leaf(p, ["eq", "ne", *ORDER], references)),
    st.sampled_from((*NUMERIC, "custom.x")).flatmap(
        lambda p: _leaf(p, ["between"], st.lists(numbers, min_size=2, max_size=2).map(lambda ends: sorted(ends)))
    ),
    st.sampled_from((*TEXTUAL, "custom.x")).flatmap(lambda p: _leaf(p, ["eq", "ne"], texts)),
    st.sampled_from((*TEXTUAL, "custom.x")).flatmap(
        lambda p: _leaf(p, ["in", "not_in"], st.lists(texts, min_size=1, max_size=4))
    ),
    st.sampled_from(NUMERIC).flatmap(lambda p: _leaf(p, ["in", "not_in"], st.lists(numbers, min_size=1, max_size=4))),
    _leaf("deployment.version", ["eq", "ne"], st.just({"baseline": "previous"})),
    _leaf("custom.y.z", ["eq", "ne"], scalars),
    _leaf("custom.y.z", ["contains", "not_contains"], scalars),
    _leaf("tests.passed_suites", ["contains", "not_contains"], texts),
    _leaf("deployment.duration_hours", ["eq", "ne", *ORDER], hours),
    _leaf(
        "deployment.duration_hours", ["between"], st.lists(hours, min_size=2, max_size=2).map(lambda ends: sorted(ends))
    ),
    st.sampled_from((*PATHS, "deployment.duration_hours")).flatmap(lambda p: _leaf(p, ["exists"], st.booleans())),
)
leaves = raw_leaves.filter(lambda leaf: not errors_of(leaf))


def _groups(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(children, min_size=1, max_size=4)
    return st.one_of(
        several.map(lambda nodes: {"all": nodes}),
        several.map(lambda nodes: {"any": nodes}),
        children.map(lambda node: {"not": node}),
    )


conditions = st.recursive(leaves, _groups, max_leaves=8).filter(lambda document: not errors_of(document))

sound_values = st.one_of(scalars, st.lists(scalars, max_size=3))
broken_values = st.sampled_from(
    [
        None,
        float("nan"),
        float("inf"),
        Decimal("-Infinity"),
        Decimal("sNaN"),
        Decimal("1e131071"),
        Decimal("1e-131071"),
        10**400,
        1e308,
        -1,
        120,
        1.5,
        "x" * 16_384,
        "\x00\ud800",
        {"a": 1},
        [None, "smoke"],
        [float("nan")],
        [[1]],
        b"bytes",
        object(),
    ]
)
entries = st.tuples(st.one_of(sound_values, broken_values), ages.map(lambda age: NOW - age))
sound_entries = st.tuples(sound_values, st.just(NOW))
HELD = ("tests.pass_rate", "tests.failed", "tests.outcome", "tests.passed_suites")


@dataclass(frozen=True)
class Scene:
    """The same facts for both evaluators."""

    world: World
    facts: Facts


def scene(
    values: dict[str, Any], baselines: dict[str, dict[str, Any]], active_for: timedelta | None, *, is_held: bool
) -> Scene:
    held = set(HELD) if is_held else set()
    active_since = None if active_for is None else NOW - active_for
    found = Facts(
        facts_of(values),
        active_since=active_since,
        states=dict.fromkeys(held, Reason.RUN_IN_PROGRESS),
        baselines={name: Facts(facts_of(known)) for name, known in baselines.items()},
    )
    return Scene(World(values, baselines, active_since, held), found)


def facts_of(values: dict[str, Any]) -> dict[str, Fact]:
    return {path: Fact(value, observed_at, "s", path) for path, (value, observed_at) in values.items()}


def _values(entry: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(PATHS), entry, max_size=len(PATHS))


def scenes(entry: st.SearchStrategy[Any] = entries) -> st.SearchStrategy[Scene]:
    return st.builds(
        scene,
        _values(entry),
        st.dictionaries(st.sampled_from(["target_current", "previous"]), _values(entry)),
        st.none() | ages | st.sampled_from([timedelta(hours=24), timedelta(seconds=360)]),
        is_held=st.sampled_from([False, False, False, True]),
    )
