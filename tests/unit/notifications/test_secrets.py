"""Secrets that were replaced: each keeps its own time, and there are never more than may sign."""

from datetime import timedelta

import pytest

from services.notifications.domain.hook import MOST_OLD_SECRETS, Hook, OldSecret, TooManySecrets, with_new_secret
from tests.unit.notifications.samples import NOW, hook

DAY = timedelta(days=1)


def rotated(known: Hook, *overlaps: timedelta) -> Hook:
    for number, overlap in enumerate(overlaps):
        known = with_new_secret(known, f"sealed-{number}", overlap=overlap, now=NOW)
    return known


def test_the_secret_that_is_replaced_gets_its_time_and_those_before_it_keep_theirs() -> None:
    twice = rotated(hook(), 3 * DAY, DAY)

    assert twice.secret == "sealed-1"
    assert twice.old_secrets == (OldSecret("sealed-0", NOW + DAY), OldSecret("sealed", NOW + 3 * DAY))


def test_of_too_many_the_refusal_says_when_the_first_ends() -> None:
    full = rotated(hook(), *(DAY * (number or 7) for number in range(MOST_OLD_SECRETS)))

    with pytest.raises(TooManySecrets, match="2030-01-02T12:00:00") as refused:
        with_new_secret(full, "one too many", overlap=DAY, now=NOW)

    assert "overlap_seconds 0" in str(refused.value)
    assert with_new_secret(full, "at once", overlap=timedelta(), now=NOW).old_secrets == ()


def test_what_has_ended_makes_room_and_is_forgotten() -> None:
    full = rotated(hook(), *(DAY * (number or 7) for number in range(MOST_OLD_SECRETS)))

    later = with_new_secret(full, "later", overlap=DAY, now=NOW + DAY)

    assert [old.until for old in later.old_secrets] == [NOW + DAY * days for days in (2, 3, 2, 7)]
