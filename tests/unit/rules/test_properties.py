"""What must hold of any conditions and any facts."""

import copy
import json
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.rules.domain.conditions import compile_conditions, compile_text, evaluate, explain, next_change
from tests.unit.rules import naive
from tests.unit.rules.building import NOW, errors_of
from tests.unit.rules.strategies import PATHS, Scene, conditions, scene, scenes, sound_entries

MANY = settings(max_examples=250, deadline=None)
FEW = settings(max_examples=80, deadline=None)


@MANY
@given(conditions, scenes())
def test_it_agrees_with_the_naive_evaluator(document: dict[str, Any], seen: Scene) -> None:
    value = evaluate(compile_conditions(document), seen.facts, NOW)

    assert value == naive.answer(document, seen.world, NOW)


@MANY
@given(conditions, scenes(sound_entries))
def test_it_agrees_with_the_naive_evaluator_on_sound_and_fresh_facts(document: dict[str, Any], seen: Scene) -> None:
    value = evaluate(compile_conditions(document), seen.facts, NOW)

    assert value == naive.answer(document, seen.world, NOW)


@MANY
@given(conditions, scenes())
def test_the_explanation_is_worth_what_the_evaluation_is(document: dict[str, Any], seen: Scene) -> None:
    compiled = compile_conditions(document)

    told = explain(compiled, seen.facts, NOW)

    assert told.result == evaluate(compiled, seen.facts, NOW)
    assert told.tree["result"] == told.result
    assert told.next_change_at == next_change(compiled, seen.facts, NOW)
    assert bool(told.blockers) == (told.result != "true")


@FEW
@given(conditions, scenes())
def test_the_explanation_can_be_stored_and_sent_whatever_the_facts_hold(document: dict[str, Any], seen: Scene) -> None:
    told = explain(compile_conditions(document), seen.facts, NOW).to_json()

    text = json.dumps(told, allow_nan=False, ensure_ascii=False)

    assert "\\u0000" not in text
    assert len(text.encode("utf-8")) < 50_000


def _mentions(node: Any, key: str) -> bool:
    if isinstance(node, dict):
        return key in node.values() or any(_mentions(member, key) for member in node.values())
    return isinstance(node, list) and any(_mentions(item, key) for item in node)


@MANY
@given(
    conditions.filter(lambda document: not _mentions(document, "exists") and not _mentions(document, "pass")),
    scenes(sound_entries),
    st.sampled_from(PATHS),
    sound_entries,
)
def test_more_facts_never_turn_one_answer_into_the_other(
    document: dict[str, Any], seen: Scene, path: str, entry: tuple[Any, datetime]
) -> None:
    compiled = compile_conditions(document)
    known = seen.world.values
    active_for = None if seen.world.active_since is None else NOW - seen.world.active_since
    fewer = scene(
        {name: value for name, value in known.items() if name != path},
        seen.world.baselines,
        active_for,
        is_held=False,
    )
    more = scene({**known, path: known.get(path, entry)}, seen.world.baselines, active_for, is_held=False)

    before, after = evaluate(compiled, fewer.facts, NOW), evaluate(compiled, more.facts, NOW)

    assert before in ("unknown", after)


@MANY
@given(conditions, scenes(), st.integers(0, 10**12), st.integers(0, 10_000))
@example(
    {"field": "deployment.duration_hours", "op": "gt", "value": 24}, scene({}, {}, timedelta(0), is_held=False), 0, 0
)
def test_no_answer_changes_by_the_clock_before_the_promised_instant(
    document: dict[str, Any], seen: Scene, some_way: int, a_little: int
) -> None:
    compiled = compile_conditions(document)
    value = evaluate(compiled, seen.facts, NOW)

    promised = next_change(compiled, seen.facts, NOW)

    horizon = timedelta(days=200) if promised is None else promised - NOW - timedelta(microseconds=1)
    for later in (timedelta(microseconds=some_way) % (horizon + timedelta(microseconds=1)), horizon):
        assert evaluate(compiled, seen.facts, NOW + later) is value
    if promised is None:
        assert evaluate(compiled, seen.facts, NOW + timedelta(microseconds=a_little)) is value
    else:
        assert evaluate(compiled, seen.facts, promised) is not value


@FEW
@given(conditions, scenes(), st.randoms())
def test_the_order_in_which_facts_are_listed_does_not_matter(
    document: dict[str, Any], seen: Scene, shuffler: Any
) -> None:
    compiled = compile_conditions(document)
    paths = list(seen.world.values)
    shuffler.shuffle(paths)
    again = scene(
        {path: seen.world.values[path] for path in paths},
        seen.world.baselines,
        None if seen.world.active_since is None else NOW - seen.world.active_since,
        is_held=bool(seen.world.held),
    )

    assert explain(compiled, again.facts, NOW) == explain(compiled, seen.facts, NOW)


@FEW
@given(conditions)
def test_compiling_leaves_the_document_alone_and_gives_the_same_each_time(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)

    assert compile_conditions(document) == compile_conditions(document)
    assert document == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["eq", "tests.failed", "1h"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["all", "any", "not", "field", "op", "value", "max_age", "unit", "baseline"]) | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@MANY
@given(JSON)
def test_any_document_is_either_compiled_or_refused(document: object) -> None:
    assert errors_of(document) or compile_conditions(document).leaves


@MANY
@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_any_text_is_either_compiled_or_refused(text: str | bytes) -> None:
    assert errors_of(text) or compile_text(text).leaves
