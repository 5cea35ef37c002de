"""How much each webhook may have under way."""

from datetime import timedelta
from uuid import UUID

from services.notifications.domain.course import FAILURES_TO_REST
from services.notifications.domain.hook import Health
from services.notifications.domain.lanes import (
    CONCURRENCY,
    MOST_FOR_FAILING,
    MOST_FOR_ORGANIZATION,
    MOST_UNDER_WAY,
    share_out,
)
from tests.unit.notifications.samples import NOW, hook

FAILING = Health(failures=FAILURES_TO_REST, failing_since=NOW - timedelta(hours=1))


def test_one_that_does_well_gets_its_share_and_one_that_fails_a_single_try() -> None:
    wanted = share_out([hook(1, health=FAILING), hook(2)], {}, first=0)

    assert [(item.hook.id.int, item.room) for item in wanted] == [(2, CONCURRENCY), (1, 1)]


def test_what_is_under_way_counts() -> None:
    one, two, three = hook(1), hook(2), hook(3, health=FAILING)

    wanted = share_out([one, two, three], {one.key: CONCURRENCY, two.key: 1, three.key: 1}, first=0)

    assert [(item.hook.id.int, item.room) for item in wanted] == [(2, CONCURRENCY - 1)]


def test_however_many_fail_there_is_room_for_the_others() -> None:
    failing = [hook(number, health=FAILING, organization_id=f"org-{number % 50}") for number in range(1, 1001)]
    under_way = {each.key: 1 for each in failing[:MOST_FOR_FAILING]}

    wanted = share_out([*failing, hook(2000)], under_way, first=0)

    assert [(item.hook.id.int, item.room) for item in wanted] == [(2000, CONCURRENCY)]


def test_all_together_stay_below_the_limit_and_each_comes_first_in_turn() -> None:
    hooks = [hook(number, organization_id=f"org-{number % 30}") for number in range(1, 301)]

    first, second = (share_out(hooks, {}, first=number) for number in (0, 150))

    assert sum(item.room for item in first) == MOST_UNDER_WAY
    assert (first[0].hook.id.int, second[0].hook.id.int) == (1, 151)


def test_one_organization_leaves_room_for_the_others() -> None:
    hooks = [hook(number) for number in range(1, 201)]
    other = hook(500, organization_id="other")

    wanted = share_out([*hooks, other], {hooks[0].key: CONCURRENCY, ("acme", UUID(int=999)): 1}, first=0)

    of_acme = sum(item.room for item in wanted if item.hook.organization_id == "acme")
    assert of_acme == MOST_FOR_ORGANIZATION - CONCURRENCY - 1
    assert [item.room for item in wanted if item.hook is other] == [CONCURRENCY]
