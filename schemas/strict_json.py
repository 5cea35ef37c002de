"""JSON as every reader understands it alike: no NaN, no key twice, no number or nesting that breaks a later reader."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 64
MAX_NUMBER_CHARACTERS = 100
_OPENING = frozenset(b"[{")
_CLOSING = frozenset(b"]}")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class NotJson(ValueError):
    """The bytes are not JSON that is taken here; the message says where and why."""


def parse(document: bytes) -> Any:
    """Parse ``document``, UTF-8; raises NotJson."""
    if _depth(document) > MAX_DEPTH:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(
            document.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_number,
            object_pairs_hook=_no_duplicates,
        )
    except UnicodeDecodeError as error:
        raise NotJson(f"it is not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


def _depth(document: bytes) -> int:
    deepest = depth = 0
    in_string = escaped = False
    for byte in document:
        if in_string:
            if escaped:
                escaped = False
            elif byte == _BACKSLASH:
                escaped = True
            elif byte == _QUOTE:
                in_string = False
        elif byte == _QUOTE:
            in_string = True
        elif byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise ValueError(f"a number has {len(text)} characters; the limit is {MAX_NUMBER_CHARACTERS}")
    return int(text)


def _number(text: str) -> float:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise ValueError(f"a number has {len(text)} characters; the limit is {MAX_NUMBER_CHARACTERS}")
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"the number {text} is out of range")
    return value


def _no_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the key {name[:80]!r} stands twice")
        result[name] = value
    return result
