"""On which line of a JSON text each value stands, by its JSON Pointer: to show an error beside its line."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_ESCAPE = re.compile(r"\\(.)")


def lines_of(text: str) -> dict[str, int]:
    """Map the pointer of every value to its line, counted from 1; what is not JSON is mapped as far as it goes."""
    found: dict[str, int] = {}
    _Walk(text, found).value("")
    return found


def line_of(pointer: str, lines: dict[str, int]) -> int:
    """Give the line of a pointer, or that of the nearest value around it: what is missing has no line of its own."""
    while pointer not in lines:
        if not pointer:
            return 1
        pointer = pointer.rpartition("/")[0]
    return lines[pointer]


class _Walk:
    def __init__(self, text: str, found: dict[str, int]) -> None:
        self._tokens = _numbered(text)
        self._found = found
        self._token, self._line = next(self._tokens, ("", 1))

    def value(self, first: str) -> None:
        # A stack of its own: a text may be nested deeper than Python likes.
        pointers, counts = [first], [-1]
        while self._token and pointers:
            token, line = self._token, self._line
            self._token, self._line = next(self._tokens, ("", line))
            if token in "}]":
                pointers.pop()
                counts.pop()
            elif token == ",":
                if counts and counts[-1] >= 0:
                    counts[-1] += 1
            elif token.startswith('"') and self._token == ":":
                key = _ESCAPE.sub(r"\1", token[1:-1]).replace("~", "~0").replace("/", "~1")
                self._token, self._line = next(self._tokens, ("", line))
                self._begin(f"{pointers[-1]}/{key}", pointers, counts)
            else:
                at = pointers[-1] if counts[-1] < 0 else f"{pointers[-1]}/{counts[-1]}"
                self._note(token, at, line, pointers, counts)

    def _begin(self, pointer: str, pointers: list[str], counts: list[int]) -> None:
        if self._token:
            token, line = self._token, self._line
            self._token, self._line = next(self._tokens, ("", line))
            self._note(token, pointer, line, pointers, counts)

    def _note(self, token: str, pointer: str, line: int, pointers: list[str], counts: list[int]) -> None:
        self._found.setdefault(pointer, line)
        if token in "{[":
            pointers.append(pointer)
            counts.append(0 if token == "[" else -1)


def _numbered(text: str) -> Iterator[tuple[str, int]]:
    line, last = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        yield match[0], line
