"""Which requests a fault script meets, by its rules and its seed alone."""

import random
from pathlib import Path

import pytest
from pydantic import ValidationError

from studio.gateway.faults import Director, Script, ScriptUnreadableError, read_script


def director(*rules: dict[str, object], seed: int = 0) -> Director:
    return Director(Script.model_validate({"seed": seed, "rules": rules}))


def hit(chooser: Director, *, method: str = "PUT", key: str = "p1", agent_id: str | None = "a1") -> str | None:
    chosen = chooser.choose(method=method, key=key, agent_id=agent_id)
    return chosen[1].fault if chosen else None


HANG: dict[str, object] = {"fault": "hang"}


def test_an_empty_script_leaves_everybody_alone() -> None:
    assert hit(Director(Script())) is None


@pytest.mark.parametrize("match", [{"method": "GET"}, {"key": "p2"}, {"agent_id": "a2"}])
def test_a_rule_for_another_method_key_or_agent_does_not_apply(match: dict[str, object]) -> None:
    assert hit(director({"match": match, "do": HANG})) is None


def test_the_first_rule_that_applies_wins() -> None:
    chooser = director({"match": {"key": "p2"}, "do": HANG}, {"do": {"fault": "cut"}}, {"do": HANG})

    assert chooser.choose(method="PUT", key="p1", agent_id=None) == (1, chooser.script.rules[1].do)
    assert chooser.applied == {1: 1}


def test_nth_counts_the_calls_of_each_key_by_itself() -> None:
    chooser = director({"match": {"nth": 2}, "do": HANG})

    hits = [hit(chooser, key=key) for key in ("p1", "p2", "p1", "p2", "p1")]

    assert hits == [None, None, "hang", "hang", None]


def test_from_call_and_to_call_count_over_the_whole_gateway() -> None:
    chooser = director({"match": {"from_call": 2, "to_call": 3}, "do": HANG})

    hits = [hit(chooser, key=f"p{number}") for number in range(5)]

    assert hits == [None, "hang", "hang", None, None]


def test_error_then_success_ends_by_itself_for_each_key() -> None:
    chooser = director({"do": {"fault": "error_then_success", "times": 2}})

    hits = [hit(chooser, key=key) for key in ("p1", "p1", "p1", "p2")]

    assert hits == ["error_then_success", "error_then_success", None, "error_then_success"]


def test_probability_hits_about_its_share_and_the_same_calls_for_the_same_seed_in_any_order() -> None:
    rule: dict[str, object] = {"match": {"probability": 0.3}, "do": HANG}
    keys = [f"p{number}" for number in range(1000)]
    shuffled = random.Random(1).sample(keys, len(keys))

    first, again, other = director(rule, seed=7), director(rule, seed=7), director(rule, seed=8)
    hits = {key for key in keys if hit(first, key=key)}

    assert 250 < len(hits) < 350
    assert {key for key in shuffled if hit(again, key=key)} == hits
    assert {key for key in keys if hit(other, key=key)} != hits


def test_probability_is_drawn_anew_for_each_call_of_a_key() -> None:
    chooser = director({"match": {"probability": 0.5}, "do": HANG})

    assert {hit(chooser) for _ in range(20)} == {None, "hang"}


@pytest.mark.parametrize(
    "rule",
    [
        {"do": {"fault": "explode"}},
        {"do": {"fault": "hang", "delay_ms": 5}},
        {"do": {"fault": "slow"}},
        {"do": {"fault": "redirect", "location": "http://x/\r\nevil: 1"}},
        {"match": {"probability": 2}, "do": HANG},
        {"match": {"nth": 0}, "do": HANG},
        {"match": {"agent": "a1"}, "do": HANG},
    ],
)
def test_a_rule_that_means_nothing_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        director(rule)


def test_a_script_is_read_from_yaml_and_from_json(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text("seed: 3\nrules:\n  - do: {fault: hang}\n")
    (tmp_path / "script.json").write_text('{"seed": 3, "rules": [{"do": {"fault": "hang"}}]}')

    assert read_script(tmp_path / "script.yaml") == read_script(tmp_path / "script.json")


@pytest.mark.parametrize("text", ["rules: [", "[]", "rules: [{do: {fault: explode}}]", "\x00"])
def test_a_file_that_is_no_script_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text)

    with pytest.raises(ScriptUnreadableError, match=r"script\.yaml"):
        read_script(path)
