"""Which records are one dead letter, and what of one is published: never more than the broker takes."""

from dataclasses import replace

import pytest

from services.platform.messaging.dead_letters import MAX_PUBLISHED_BYTES, DeadLetter, Record

RECORD = Record("tests.completed", 3, 7, 1_700_000_000_000, b"key", (("ce_id", b"1"),), b"{")


def letter(record: Record, *, group: str = "rules.tests-completed") -> DeadLetter:
    return DeadLetter(group, record, "bad_json", "it is not JSON", None)


def test_a_record_that_is_parked_again_is_the_same_letter() -> None:
    assert letter(RECORD).id == letter(replace(RECORD)).id


def test_another_record_at_the_same_offset_is_another_letter() -> None:
    # Offsets begin again when a broker loses its data.
    assert letter(RECORD).id != letter(replace(RECORD, value=b"[")).id
    assert letter(RECORD).id != letter(replace(RECORD, headers=(("ce_id", b"2"),))).id


def test_each_group_keeps_its_own_letter() -> None:
    assert letter(RECORD).id != letter(RECORD, group="inventory.deployment-completed").id


@pytest.mark.parametrize(
    "large",
    [
        replace(RECORD, value=b"x" * 600_000, headers=(("ce_id", b"y" * 600_000),)),
        replace(RECORD, headers=(("ce_id", b"y" * 2_000_000),)),
        replace(RECORD, headers=(("", b""),) * 200_000),
        replace(RECORD, key=b"k" * 2_000_000),
    ],
    ids=["value and headers", "one header", "many headers", "key"],
)
def test_what_the_broker_would_refuse_is_not_published_with_the_letter(large: Record) -> None:
    published = letter(large).to_record()

    size = len(published.key or b"") + len(published.value or b"")
    size += sum(len(name) + len(raw or b"") + 10 for name, raw in published.headers)
    assert size < MAX_PUBLISHED_BYTES + 3000
    assert ("dead-value", b"in PostgreSQL only") in published.headers


def test_a_detail_that_is_not_text_is_published_all_the_same() -> None:
    published = DeadLetter("rules.tests-completed", RECORD, "bad_envelope", "has \ud800 in it").to_record()

    assert ("dead-detail", b"has \\ud800 in it") in published.headers
