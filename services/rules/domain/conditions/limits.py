"""How large conditions may be, and the guards that look before anything else does. None of them recurses."""

import re
from decimal import Decimal

from services.rules.domain.conditions.errors import Code, Findings

DEEPEST = 8
MOST_NODES = 100
MOST_CHILDREN = 50
MOST_ITEMS = 100
LONGEST_STRING = 256
LARGEST_DOCUMENT_BYTES = 16 * 1024
LARGEST_NUMBER = Decimal(2**53 - 1)
# A number smaller than this is no threshold, and databases and floats cannot hold it.
SMALLEST_EXPONENT = -400
# Eight nodes one in the other are eight objects, seven arrays and a value; beyond this nothing is worth reading.
DEEPEST_NESTING = 64

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def check_text_size(text: str, findings: Findings, *, largest_bytes: int) -> None:
    """Find whether a JSON text is too large or nested too deep to be parsed at all."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > largest_bytes:
        _too_large(findings, f"{size:,}", largest_bytes)
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST_NESTING:
        too_deep("", findings)


def check_document_size(document: object, findings: Findings) -> None:
    """Find the same of a document that is already parsed; stops as soon as it is too large."""
    size, is_too_deep = 0, False
    pending: list[tuple[object, int]] = [(document, 1)]
    while pending and size <= LARGEST_DOCUMENT_BYTES:
        value, depth = pending.pop()
        size += _own_size(value)
        if depth > DEEPEST_NESTING:
            is_too_deep = True
        elif isinstance(value, dict):
            size += sum(_own_size(key) + 1 for key in value)
            pending.extend((member, depth + 1) for member in value.values())
        elif isinstance(value, list | tuple):
            pending.extend((item, depth + 1) for item in value)
    if size > LARGEST_DOCUMENT_BYTES:
        _too_large(findings, f"more than {LARGEST_DOCUMENT_BYTES:,}", LARGEST_DOCUMENT_BYTES)
    if is_too_deep:
        too_deep("", findings)


def too_deep(path: str, findings: Findings) -> None:
    """Note that conditions are nested too deep at ``path``."""
    findings.add(
        path,
        Code.TOO_DEEP,
        f"is nested deeper than {DEEPEST} levels",
        "an all inside an all, or an any inside an any, can be merged into its parent",
    )


def _too_large(findings: Findings, size: str, largest_bytes: int) -> None:
    findings.add(
        "",
        Code.DOCUMENT_TOO_LARGE,
        f"has {size} bytes; at most {largest_bytes:,} are allowed",
        "split it into several rules: all rules of a hop must hold",
    )


def _own_size(value: object) -> int:
    """Give about as many bytes as the value takes in JSON without its members, separators included."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass")) + 3
    if isinstance(value, int):
        return value.bit_length() // 4 + 2
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) + 2
    return 3
