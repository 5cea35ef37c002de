"""A promotion that changed meanwhile: the work is done again, and no event is parked for it."""

from services.platform.database import is_conflict, is_permanent
from services.promotion.store import Overtaken


def test_being_overtaken_is_a_collision_and_nothing_that_would_fail_again() -> None:
    assert is_conflict(Overtaken("1 of 2 promotions changed meanwhile"))
    assert not is_permanent(Overtaken("1 of 2 promotions changed meanwhile"))
