"""Which records are one dead letter: the same record parked again is; another one at the same place is not."""

from dataclasses import replace

from services.platform.messaging.dead_letters import DeadLetter, Record

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
