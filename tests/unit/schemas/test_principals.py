"""However a subject is spelt, it is one person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.principals import principal_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("alice@example.com", "Alice@Example.COM"),
        ("alice", "ａｌｉｃｅ"),
        ("ﬁona", "FIONA"),
        ("straße", "STRASSE"),
        ("Σίσυφος", "σίσυφοσ"),
        ("jose\u0301", "JOSÉ"),
        ("K", "\u212a"),
    ],
)
def test_spellings_of_one_person_are_one(one: str, other: str) -> None:
    assert principal_key(one) == principal_key(other)


@pytest.mark.parametrize(("one", "other"), [("alice", "alice2"), ("alice", "bob"), ("a.b", "ab"), ("a-b", "a_b")])
def test_different_people_stay_different(one: str, other: str) -> None:
    assert principal_key(one) != principal_key(other)


@given(st.text())
def test_the_key_of_a_key_is_itself(subject: str) -> None:
    key = principal_key(subject)

    assert principal_key(key) == key
