"""JSON read to the letter: no repeated keys, no NaN, exact numbers, no nesting that could exhaust the stack."""

import json
from collections import Counter
from decimal import Decimal
from typing import NoReturn

from services.rules.domain.conditions.errors import Code, ConditionError, Findings
from services.rules.domain.conditions.limits import LARGEST_DOCUMENT_BYTES, check_text_size
from services.rules.domain.conditions.wording import pointer, show
from services.rules.domain.facts.numbers import decimal_from_text

_LONGEST_INTEGER = 18


class _Members(dict[str, object]):
    """An object, with the keys that its text repeated."""

    repeated: tuple[str, ...] = ()


class _NotJson(ValueError):
    pass


def read_json(
    text: str | bytes, *, largest_bytes: int = LARGEST_DOCUMENT_BYTES
) -> tuple[object, tuple[ConditionError, ...]]:
    """Parse a JSON text; numbers with a fraction or exponent become Decimal.

    Gives the document and what is wrong with its text. A document with repeated keys is given with the last of
    each, so that the rest can be checked too; one that cannot be read at all is None.
    """
    findings = Findings()
    decoded = _decode(text, findings)
    if decoded is not None:
        check_text_size(decoded, findings, largest_bytes=largest_bytes)
    if decoded is None or findings.errors:
        return None, tuple(findings.errors)
    try:
        document = json.loads(
            decoded,
            object_pairs_hook=_members,
            parse_float=decimal_from_text,
            parse_int=_whole_number,
            parse_constant=_refuse_constant,
        )
    except ValueError as refused:
        _invalid(findings, str(refused))
        return None, tuple(findings.errors)
    _find_repeated_keys(document, findings)
    return document, tuple(findings.errors)


def _decode(text: str | bytes, findings: Findings) -> str | None:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as refused:
        _invalid(findings, f"not UTF-8 at byte {refused.start}")
        return None


def _invalid(findings: Findings, trouble: str) -> None:
    findings.add(
        "",
        Code.INVALID_JSON,
        f"cannot be read as JSON: {trouble}",
        "send one JSON object, encoded in UTF-8",
    )


def _members(pairs: list[tuple[str, object]]) -> _Members:
    members = _Members(pairs)
    if len(members) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        members.repeated = tuple(key for key, count in counts.items() if count > 1)
    return members


def _whole_number(text: str) -> int | Decimal:
    return int(text) if len(text) <= _LONGEST_INTEGER else decimal_from_text(text)


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(f"{name} is not a JSON number")


def _find_repeated_keys(document: object, findings: Findings) -> None:
    pending: list[tuple[str, object]] = [("", document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, _Members):
            for key in value.repeated:
                findings.add(
                    pointer(path, key),
                    Code.DUPLICATE_KEY,
                    f"the key {show(key)} appears more than once in the same object",
                    "keep one of them; readers of JSON disagree on which one counts",
                )
            pending.extend((pointer(path, key), member) for key, member in reversed(value.items()))
        elif isinstance(value, list):
            pending.extend((pointer(path, index), value[index]) for index in reversed(range(len(value))))
