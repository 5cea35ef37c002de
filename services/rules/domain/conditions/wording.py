"""Values as people and JSON may see them: short, printable, never altered without saying so."""

import json
import re
from decimal import Decimal

from services.rules.domain.facts.numbers import as_decimal, plain

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_SHOWN = 64
_LONGEST_EVIDENCE = 256
_LONGEST_EVIDENCE_LIST = 100


def is_storable(text: str) -> bool:
    """Tell whether a text can be stored and sent: neither NUL nor half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """Give the text with what cannot be stored or sent replaced."""
    return _UNSTORABLE.sub("\ufffd", text)


def pointer(parent: str, token: str | int) -> str:
    """Give the JSON Pointer of a member or an item of what ``parent`` points to."""
    escaped = str(token).replace("~", "~0").replace("/", "~1")
    return f"{parent}/{storable(cut(escaped, _LONGEST_EVIDENCE))}"


def cut(text: str, longest: int) -> str:
    """Give the text, shortened with an ellipsis where it is too long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def evidence(value: object) -> object:
    """Give a fact's value for JSON: exact numbers, and texts and lists short enough to be kept."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return cut(storable(value), _LONGEST_EVIDENCE)
    if isinstance(value, Decimal):
        number = plain(value)
        return cut(number, _LONGEST_EVIDENCE) if isinstance(number, str) else number
    if isinstance(value, int | float):
        return evidence(as_decimal(value))
    if isinstance(value, list | tuple):
        return [evidence(item) for item in value[:_LONGEST_EVIDENCE_LIST]]
    return f"({describe_type(value)})"


def show(value: object) -> str:
    """Give a value for a sentence, as JSON would write it, shortened."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return cut(str(plain(value)), LONGEST_SHOWN)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() < 256 else f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return json.dumps(cut(storable(value), LONGEST_SHOWN), ensure_ascii=False)
    if isinstance(value, list | tuple):
        shown = [show(item) if not isinstance(item, list | tuple) else "[…]" for item in value[:5]]
        return f"[{', '.join(shown)}{', …' if len(value) > 5 else ''}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else describe_type(value)


def describe_type(value: object) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list | tuple) else "an object"
