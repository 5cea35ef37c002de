"""What forms may send, and what notices carry."""

import pytest

from studio.console.forms import MAX_FIELDS, parse_form
from studio.console.notices import Notice, sealed, unsealed


def test_fields_are_read_as_they_were_written() -> None:
    form = parse_form(b"reason=Not+on+a+Friday%21&promotion=1&promotion=2&empty=&lines=a%0D%0Ab")

    assert form.text("reason") == "Not on a Friday!"
    assert form.all("promotion") == ["1", "2"]
    assert form.text("lines") == "a\nb"
    assert (form.text("empty"), form.checked("empty")) == ("", True)
    assert (form.text("absent"), form.checked("absent"), form.all("absent")) == ("", False, [])


@pytest.mark.parametrize("body", [b"a=%FF", b"a=\xff", "a=ü".encode(), b"&".join([b"a=1"] * (MAX_FIELDS + 1))])
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_form(body)


def test_a_notice_is_read_where_it_was_written() -> None:
    notice = Notice("trouble", "The gateway said “no” – <b>")

    assert unsealed(sealed(notice, "token"), "token") == notice


@pytest.mark.parametrize("cookie", ["", ".", "bm90aGluZw==.abc", "ü.ü", "a.b.c"])
def test_words_that_somebody_else_wrote_are_not_shown(cookie: str) -> None:
    assert unsealed(cookie, "token") is None


def test_a_notice_of_another_session_is_not_shown() -> None:
    assert unsealed(sealed(Notice("done", "Approved"), "token"), "another") is None


@pytest.mark.parametrize("character", ["x", "ü", "語", "😀"])
def test_the_longest_notice_fits_a_cookie(character: str) -> None:
    written = sealed(Notice("trouble", character * 5000), "token")

    assert len(written) < 4000
    assert unsealed(written, "token") == Notice("trouble", character * 600)


def test_a_long_notice_is_cut() -> None:
    read = unsealed(sealed(Notice("done", "x" * 5000), "token"), "token")

    assert read is not None
    assert len(read.text) == 600
