"""Values are equal and hashed by what they hold, as frozen dataclasses are."""

from dataclasses import replace

import pytest

from schemas.values import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    city: str
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    name: str

    def __hash__(self) -> int:
        return 7


def test_values_that_hold_the_same_are_one_key() -> None:
    assert {Place("Bern"): 1}[replace(Place("Basel"), city="Bern")] == 1
    assert Place("Bern") != Place("Bern", 1)


def test_a_value_keeps_the_hash_that_it_defines() -> None:
    assert hash(Named("a")) == 7


def test_a_value_takes_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Place("Bern").door = "left"  # type: ignore[attr-defined]
