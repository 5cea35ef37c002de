"""On which line of a JSON text each value stands, by its JSON Pointer: to show an error beside its line."""

import re
from dataclasses import dataclass

_PIECE = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\],:"]+')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(slots=True)
class _Open:
    """An object or a list that is not closed yet; ``place`` is the key or index that comes next."""

    pointer: str
    is_list: bool
    place: str

    def child(self) -> str:
        return f"{self.pointer}/{self.place}"


def lines_of(text: str) -> dict[str, int]:
    """Map the pointer of every value to its line, counted from 1; what is not JSON is mapped as far as it goes."""
    found: dict[str, int] = {}
    opened: list[_Open] = []
    line, seen = 1, 0
    for match in _PIECE.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        piece = match[0]
        if match["key"] is not None:
            if opened:
                opened[-1].place = _ESCAPE.sub(r"\1", piece[1:-1]).replace("~", "~0").replace("/", "~1")
        elif piece in {"}", "]"}:
            del opened[-1:]
        elif piece == ",":
            if opened and opened[-1].is_list:
                opened[-1].place = str(int(opened[-1].place) + 1)
        else:
            pointer = opened[-1].child() if opened else ""
            found.setdefault(pointer, line)
            if piece in {"{", "["}:
                opened.append(_Open(pointer, piece == "[", "0" if piece == "[" else ""))
    return found


def line_of(pointer: str, lines: dict[str, int]) -> int:
    """Give the line of a pointer, or that of the nearest value around it: what is missing has no line of its own."""
    while pointer not in lines:
        if not pointer:
            return 1
        pointer = pointer.rpartition("/")[0]
    return lines[pointer]
