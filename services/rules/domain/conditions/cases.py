"""Cases: conditions, facts and what they must be worth. How rules are unit-tested, and how this language is.

Takes cases that are already parsed; reading files is for the edge. A case that cannot be understood is a failure
with a sentence, never an exception.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.rules.domain.conditions.compiler import compile_conditions, compile_text
from services.rules.domain.conditions.errors import ConditionError, InvalidConditions
from services.rules.domain.conditions.evaluation import evaluate
from services.rules.domain.conditions.explanation import Explanation, explain
from services.rules.domain.conditions.tree import CompiledConditions
from services.rules.domain.conditions.wording import show
from services.rules.domain.facts import Fact, Facts

DEFAULT_NOW = datetime(2025, 1, 1, tzinfo=UTC)
KEYS = frozenset(
    {
        "name",
        "source",
        "tags",
        "why",
        "source_expected",
        "conditions",
        "conditions_text",
        "facts",
        "special",
        "now",
        "observed_at",
        "active_since",
        "baseline",
        "expected",
        "reasons",
        "error_codes",
        "next_change_at",
    }
)
_EXPECTED = {"true": "true", "false": "false", "unknown": "unknown", "invalid": "invalid"}
_SPECIAL = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended. ``problems`` is empty where it passed; ``explanation`` is there unless it was invalid."""

    name: str
    problems: tuple[str, ...]
    explanation: Explanation | None = None
    errors: tuple[ConditionError, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything that the case expects came true."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """Give the result for programs."""
        return {
            "name": self.name,
            "passed": self.passed,
            "problems": list(self.problems),
            "explanation": None if self.explanation is None else self.explanation.to_json(),
            "errors": [error.to_json() for error in self.errors],
        }


class _Unreadable(ValueError):
    """The case itself is wrong."""


def run_cases(cases: Sequence[object]) -> list[CaseResult]:
    """Run every case, in order."""
    return [run_case(case, position) for position, case in enumerate(cases, start=1)]


def run_case(case: object, position: int = 1) -> CaseResult:
    """Run one case; ``position`` names it where it has no name."""
    if not isinstance(case, Mapping):
        return CaseResult(f"case {position}", (f"is {show(case)}; a case is an object",))
    name = str(case.get("name", f"case {position}"))
    try:
        expected = _expected(case)
        facts, now = _facts(case), _instant(case.get("now"), "now") or DEFAULT_NOW
        compiled = _compiled(case)
    except _Unreadable as trouble:
        return CaseResult(name, (str(trouble),))
    except InvalidConditions as refused:
        return CaseResult(name, tuple(_refusal_problems(case, expected, refused)), errors=refused.errors)
    explanation = explain(compiled, facts, now)
    problems = (
        *_value_problems(expected, explanation, str(evaluate(compiled, facts, now))),
        *_detail_problems(case, explanation),
    )
    return CaseResult(name, problems, explanation)


def _compiled(case: Mapping[str, object]) -> CompiledConditions:
    text = case.get("conditions_text")
    if isinstance(text, str):
        return compile_text(text)
    if "conditions" not in case:
        raise _Unreadable('has no conditions; add "conditions"')
    return compile_conditions(case["conditions"])


def _expected(case: Mapping[str, object]) -> str:
    unknown = sorted(str(key) for key in case if key not in KEYS)
    if unknown:
        raise _Unreadable(f"has unknown keys: {', '.join(unknown)}; the keys are {', '.join(sorted(KEYS))}")
    stated = case.get("expected")
    word = _EXPECTED.get(str(stated).lower() if isinstance(stated, bool | str) else "")
    if word is None:
        raise _Unreadable(f'expects {show(stated)}; write true, false, "unknown" or "invalid"')
    return word


def _refusal_problems(case: Mapping[str, object], expected: str, refused: InvalidConditions) -> Iterator[str]:
    if expected != "invalid":
        yield f"expected {expected}, but the conditions are refused: {refused}"
        return
    wanted = _texts(case, "error_codes")
    found = [str(error.code) for error in refused.errors]
    if wanted and not set(wanted) & set(found):
        yield f"expected one of the errors {', '.join(wanted)}; found {', '.join(found)}"


def _value_problems(expected: str, explanation: Explanation, value: str) -> Iterator[str]:
    if value != expected:
        yield f"expected {expected}, is {value} ({explanation.summary})"
    if value != explanation.result:
        yield f"evaluates to {value}, but is explained as {explanation.result}"


def _detail_problems(case: Mapping[str, object], explanation: Explanation) -> Iterator[str]:
    shown = sorted(set(_reasons(explanation.tree)))
    if "reasons" in case and sorted(set(_texts(case, "reasons"))) != shown:
        yield f"expected the reasons {_texts(case, 'reasons')}, the explanation shows {shown}"
    if "next_change_at" in case:
        wanted = _instant(case["next_change_at"], "next_change_at")
        if wanted != explanation.next_change_at:
            yield f"expected the next change at {_shown(wanted)}, it is at {_shown(explanation.next_change_at)}"


def _reasons(tree: Mapping[str, object]) -> Iterator[str]:
    if "reason" in tree:
        yield str(tree["reason"])
    children = tree.get("children")
    for child in children if isinstance(children, list) else ():
        yield from _reasons(child)


def _facts(case: Mapping[str, object]) -> Facts:
    now = _instant(case.get("now"), "now") or DEFAULT_NOW
    values = dict(_flattened(_mapping(case, "facts")))
    for path, word in _mapping(case, "special").items():
        if word not in _SPECIAL:
            raise _Unreadable(f"special sets {path} to {show(word)}; it takes {', '.join(_SPECIAL)}")
        values[path] = float(str(word))
    observed = {
        path: _instant(instant, f"observed_at of {path}") or now
        for path, instant in _mapping(case, "observed_at").items()
    }
    baselines = {}
    if case.get("baseline") is not None:
        compared = _facts_at(dict(_flattened(_mapping(case, "baseline"))), {}, now)
        baselines = {"target_current": Facts(compared), "previous": Facts(compared)}
    return Facts(
        _facts_at(values, observed, now),
        active_since=_instant(case.get("active_since"), "active_since"),
        baselines=baselines,
    )


def _facts_at(values: Mapping[str, object], observed: Mapping[str, datetime], now: datetime) -> dict[str, Fact]:
    return {path: Fact(value, observed.get(path, now), "case", path) for path, value in values.items()}


def _flattened(facts: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Give every path in a nested object with its value; an object is a value too, of no useful type."""
    pending = [(str(name), value) for name, value in facts.items()]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend((f"{path}.{name}", member) for name, member in value.items())
        if "." in path:
            yield path, value


def _mapping(case: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = case.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _Unreadable(f"{key} is {show(value)}; it takes an object")
    return value


def _texts(case: Mapping[str, object], key: str) -> list[str]:
    value = case.get(key, [])
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _instant(value: object, key: str) -> datetime | None:
    """Read an instant; YAML gives one as a datetime already. Without a zone it is in UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _Unreadable(f"{key} is {show(value)}; write it as 2025-01-31T12:00:00Z") from None
    if not isinstance(value, datetime):
        raise _Unreadable(f"{key} is {show(value)}; write it as 2025-01-31T12:00:00Z")
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _shown(instant: datetime | None) -> str:
    return "no instant" if instant is None else instant.isoformat()
