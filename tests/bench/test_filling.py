"""Copies of promotions are named in Python as PostgreSQL names them: rows and history have to meet again."""

from uuid import UUID

from bench.filling import named


def test_a_copy_has_the_name_that_postgresql_gives_it() -> None:
    # SELECT md5('6ba7b810-9dad-11d1-80b4-00c04fd430c8:3')::uuid
    copy = named(UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), 3)

    assert copy == UUID("111bfb5b-abc3-0ce7-ccc0-13133ef51a71")
