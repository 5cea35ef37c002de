"""The record of a cut and the proof of what was kept before it: every change shows, the bytes stay what they are."""

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.promotion.domain import chain
from services.promotion.domain.chain import Head, Link, Stored
from services.promotion.domain.cuts import Cut, Kept, content, end_of_kept, walk_kept
from tests.unit.promotion.promotions import NOW

CUT = Cut("acme", date(2026, 1, 1), Head(8, b"\x01" * 32), 4, 2, b"\x02" * 32, "database:owner", NOW)
_CHANGED: dict[str, Any] = {
    "organization_id": "x", "month": date(2026, 2, 1), "head": Head(9, b"\x01" * 32), "entries": 5, "kept": 3,
    "kept_hash": b"\x03" * 32, "actor": "x", "at": NOW + timedelta(microseconds=1),
}  # fmt: skip


def kept(*sequences: int) -> list[Stored]:
    """Links with holes between them."""
    links = {seq: chain.link(Head(seq - 1, seq.to_bytes(32, "big")), f"entry {seq}".encode()) for seq in sequences}
    return [Stored(f"entry {seq}".encode(), link, None, UUID(int=seq)) for seq, link in links.items()]


def cut_over(*sequences: int) -> Cut:
    over = Kept()
    for stored in kept(*sequences):
        over = over.and_(stored)
    return replace(CUT, kept=over.count, kept_hash=over.hash)


def test_the_content_is_what_it_has_always_been() -> None:
    assert content(CUT).decode() == (
        '{"actor":"database:owner","at":"2026-03-01T12:00:00.000000+00:00","entries":4,"hash":"' + "01" * 32 + '",'
        '"kept":2,"kept_hash":"' + "02" * 32 + '","month":"2026-01-01","organization_id":"acme","sequence":8}'
    )
    assert cut_over(3, 5).kept_hash.hex() == "741d28b497dc184f1d1dfc402e342bb9573b3405a67b34892808ecfb51abc2fa"


@pytest.mark.parametrize("name", [field.name for field in fields(Cut)])
def test_a_change_of_any_field_is_another_content(name: str) -> None:
    assert content(replace(CUT, **{name: _CHANGED[name]})) != content(CUT)


def test_what_was_kept_holds_at_once_and_page_by_page() -> None:
    cut = cut_over(3, 5, 6)

    whole, _ = walk_kept(kept(3, 5, 6), Head())
    first, _ = walk_kept(kept(3, 5), Head())
    rest, broken = walk_kept(kept(6), first)

    assert (whole, broken) == (rest, None)
    assert end_of_kept(rest, cut) is None


@pytest.mark.parametrize("there", [(3, 5), (5, 6), (3, 4, 5, 6), (3, 6, 5), ()])
def test_one_less_one_more_or_another_order_is_found_at_the_cut(there: tuple[int, ...]) -> None:
    reached, broken = walk_kept(kept(*there), Head())

    found = end_of_kept(reached, cut_over(3, 5, 6))

    assert broken is None
    assert found is not None
    assert (found.seq, "3 of them" in found.problem) == (8, True)


def test_an_entry_that_says_something_else_is_found_where_it_is() -> None:
    changed = kept(3, 5, 6)
    changed[1] = replace(changed[1], content=b"something else")

    _, broken = walk_kept(changed, Head())

    assert broken is not None
    assert (broken.seq, broken.promotion_id) == (5, UUID(int=5))


def test_an_entry_that_was_written_anew_with_its_hash_is_found_at_the_cut() -> None:
    anew = kept(3, 5, 6)
    link = chain.link(Head(4, anew[1].link.previous_hash), b"something else")
    anew[1] = replace(anew[1], content=b"something else", link=Link(5, link.previous_hash, link.hash))

    reached, broken = walk_kept(anew, Head())

    assert broken is None
    assert end_of_kept(reached, cut_over(3, 5, 6)) is not None
