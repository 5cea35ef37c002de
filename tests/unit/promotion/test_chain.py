"""The hash chain: every change to any entry, and every gap, shows."""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.promotion.domain import chain
from services.promotion.domain.chain import Entry, Head, Link, Stored
from tests.unit.promotion.promotions import NOW


def entries(count: int) -> list[Entry]:
    return [
        Entry("acme", UUID(int=1), n, None, "pending", "evaluating", "Grüße", "rita", None, NOW, '{"n":1}')
        for n in range(1, count + 1)
    ]


def linked(count: int) -> list[tuple[Entry, Link]]:
    listed = entries(count)
    links, _ = chain.links(Head(), [chain.content(entry) for entry in listed])
    return list(zip(listed, links, strict=True))


def first_break(entries: Iterable[tuple[Entry, Link]], start: Head | None = None) -> int | None:
    broken = chain.walk((Stored(chain.content(entry), link) for entry, link in entries), start or Head())[1]
    return None if broken is None else broken.seq


def test_what_was_linked_verifies_from_its_beginning_and_from_any_head() -> None:
    whole = linked(5)

    assert first_break(whole) is None
    assert first_break(whole[2:], Head(2, whole[1][1].hash)) is None


_CHANGED: dict[str, Any] = {
    "organization_id": "x", "promotion_id": UUID(int=2), "version": 9, "previous_status": "pending", "status": "x",
    "status_reason": "x", "status_message": "x", "actor": "x", "via": "x", "at": NOW + timedelta(microseconds=1),
    "evidence": '{"n": 1}',
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(Entry)])
def test_a_change_of_any_field_breaks_the_chain_at_its_entry(name: str) -> None:
    whole = linked(4)
    whole[2] = (replace(whole[2][0], **{name: _CHANGED[name]}), whole[2][1])

    assert first_break(whole) == 3


def test_a_missing_a_doubled_and_a_swapped_entry_break_it() -> None:
    whole = linked(4)

    assert first_break([*whole[:1], *whole[2:]]) == 2
    assert first_break([*whole[:2], *whole[1:]]) == 3
    assert first_break([whole[1], whole[0], *whole[2:]]) == 1


def test_the_content_is_what_it_has_always_been() -> None:
    (entry, link) = linked(1)[0]

    assert chain.content(entry).decode() == (
        '["acme","00000000-0000-0000-0000-000000000001",1,null,"pending","evaluating","Grüße","rita",null,'
        '"2026-03-01T12:00:00.000000+00:00","{\\"n\\":1}"]'
    )
    assert link.hash.hex() == "cf73774681c8814bf90debd25ca3dd2e05b6788ef8ef112e7235830be74d5cd8"


def test_evidence_is_written_the_same_whatever_order_it_came_in() -> None:
    assert chain.evidence_text({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'
    with pytest.raises(ValueError):
        chain.evidence_text({"a": float("nan")})
