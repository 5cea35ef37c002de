"""Short ways to write conditions and facts in tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.rules.domain.conditions import CompiledConditions, InvalidConditions, compile_conditions, compile_text
from services.rules.domain.facts import Fact, Facts

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def leaf(field: str, op: str, value: object, **more: object) -> dict[str, object]:
    return {"field": field, "op": op, "value": value, **more}


def fact(value: object, *, age: timedelta = timedelta(0), event_id: str = "e-1") -> Fact:
    return Fact(value, NOW - age, "test", event_id)


def facts(values: Mapping[str, object], **more: object) -> Facts:
    """Give facts observed now; a value may be a Fact already."""
    found = {path: value if isinstance(value, Fact) else fact(value) for path, value in values.items()}
    return Facts(found, **more)  # type: ignore[arg-type]


def compiled(document: object) -> CompiledConditions:
    return compile_conditions(document)


def errors_of(document: object) -> list[tuple[str, str]]:
    """Give (path, code) of everything that is wrong with a text, or with a document that is already parsed."""
    try:
        _ = compile_text(document) if isinstance(document, str | bytes) else compile_conditions(document)
    except InvalidConditions as refused:
        return [(error.path, str(error.code)) for error in refused.errors]
    return []
