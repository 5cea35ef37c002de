"""Strict JSON: what two readers could understand differently, or a later one not at all, is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import MAX_DEPTH, NotJson, parse

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_json_is_parsed_as_it_was_written(document: object) -> None:
    assert parse(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "document",
    [
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e400]",
        b"[" + b"9" * 5000 + b"]",
        b"[1." + b"0" * 5000 + b"]",
        b'{"a": 1, "a": 2}',
        b"\xff",
        b"",
        b"[1,]",
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 1_000_000,
    ],
    ids=lambda document: document[:20].decode("latin-1"),
)
def test_what_is_not_plain_json_is_refused(document: bytes) -> None:
    with pytest.raises(NotJson):
        parse(document)


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    assert parse(b'"' + b"[" * 1000 + b'\\"["') == "[" * 1000 + '"['
