"""Which deployment of a slot is live, whatever the order in which it is told."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.vocabulary import DeploymentOutcome, DeploymentStatus
from services.inventory.domain.deployments import Announcement, Contradiction, Deployment, Slots
from tests.unit.inventory.announcements import NOON, announce

ACTIVE, RETIRED = DeploymentStatus.ACTIVE, DeploymentStatus.RETIRED
FAILED, REMOVED = DeploymentOutcome.FAILED, DeploymentOutcome.REMOVED
PROMOTION = UUID(int=7)


def told(announcements: Iterable[Announcement]) -> dict[str, Deployment]:
    slots = Slots([])
    for item in announcements:
        slots.announce(item)
    return {deployment.deployment_id: deployment for deployment in slots.changed()}


def test_the_first_success_is_active_since_it_was_deployed() -> None:
    [only] = told([announce("a", minute=1)]).values()

    assert only.status is ACTIVE
    assert only.active_since == only.deployed_at == NOON + timedelta(minutes=1)


def test_a_newer_success_retires_the_active_one_of_its_slot() -> None:
    known = told([announce("a", minute=1), announce("b", minute=2)])

    assert (known["a"].status, known["b"].status) == (RETIRED, ACTIVE)
    assert known["a"].retired_at == NOON + timedelta(minutes=2)


def test_an_older_success_that_arrives_late_is_retired_at_once() -> None:
    known = told([announce("b", minute=2), announce("a", minute=1)])

    assert (known["a"].status, known["b"].status) == (RETIRED, ACTIVE)


def test_other_agents_gateways_and_organizations_have_slots_of_their_own() -> None:
    slots = Slots([])
    for place in ({}, {"agent_id": "other"}, {"gateway_id": "other"}, {"organization_id": "other"}):
        slots.announce(announce(f"d{len(place)}{next(iter(place), '')}", minute=len(place), **place))

    assert {deployment.status for deployment in slots.changed()} == {ACTIVE}


def test_successes_of_the_same_instant_are_ordered_by_id() -> None:
    known = told([announce("b", minute=1), announce("a", minute=1)])

    assert (known["a"].status, known["b"].status) == (RETIRED, ACTIVE)


def test_a_failure_leaves_the_active_one_alone() -> None:
    known = told([announce("a", minute=1), announce("b", minute=2, outcome=FAILED, error="no room")])

    assert known["a"].status is ACTIVE
    assert (known["b"].status, known["b"].error) == (DeploymentStatus.FAILED, "no room")


def test_removing_the_active_one_does_not_bring_its_predecessor_back() -> None:
    known = told([announce("a", minute=1), announce("b", minute=2), announce("b", minute=3, outcome=REMOVED)])

    assert (known["a"].status, known["b"].status) == (RETIRED, DeploymentStatus.REMOVED)


def test_what_failed_never_replaced_the_one_before_it() -> None:
    known = told([announce("a", minute=1), announce("b", minute=2), announce("b", minute=3, outcome=FAILED)])

    assert (known["a"].status, known["b"].status) == (ACTIVE, DeploymentStatus.FAILED)
    assert known["a"].active_since == NOON + timedelta(minutes=1)


def test_a_deployment_that_is_made_live_again_is_active_since_then() -> None:
    known = told([announce("a", minute=1), announce("b", minute=2), announce("a", minute=3)])

    assert (known["a"].status, known["b"].status) == (ACTIVE, RETIRED)
    assert known["a"].active_since == NOON + timedelta(minutes=3)


def test_a_second_announcement_of_the_active_one_does_not_interrupt_it() -> None:
    known = told([announce("a", minute=1), announce("a", minute=3)])

    assert known["a"].active_since == NOON + timedelta(minutes=1)
    assert known["a"].deployed_at == NOON + timedelta(minutes=3)


@pytest.mark.parametrize("between", [announce("b", minute=2), announce("a", minute=2, outcome=REMOVED)])
def test_what_happened_between_two_announcements_interrupts_even_if_it_is_told_last(between: Announcement) -> None:
    known = told([announce("a", minute=1), announce("a", minute=3), between])

    assert known["a"].active_since == NOON + timedelta(minutes=3)


def test_what_the_executor_knows_fills_in_what_the_gateway_announced() -> None:
    known = told([announce("a", minute=1), announce("a", minute=1, promotion_id=PROMOTION, digest="sha256:1")])

    assert len(known) == 1
    assert (known["a"].promotion_id, known["a"].digest) == (PROMOTION, "sha256:1")


@pytest.mark.parametrize("field", ["agent_id", "environment", "version", "digest"])
def test_a_known_deployment_never_becomes_another_one(field: str) -> None:
    slots = Slots([])
    slots.announce(announce("a", minute=1, digest="d"))

    with pytest.raises(Contradiction, match=f"{field} .*not 'other'"):
        slots.announce(announce("a", minute=2, **{"digest": "d", field: "other"}))


_once = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), unique_by=lambda pair: pair[0], min_size=1)
_ends = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 6), st.sampled_from([FAILED, REMOVED])), max_size=4)


@settings(max_examples=300, deadline=None)
@given(successes=_once, ends=_ends, data=st.data())
def test_the_order_of_arrival_and_repetition_change_nothing(
    successes: list[tuple[str, int]], ends: list[tuple[str, int, DeploymentOutcome]], data: st.DataObject
) -> None:
    announcements = [announce(name, minute=minute) for name, minute in successes]
    announcements += [announce(name, minute=minute, outcome=outcome) for name, minute, outcome in ends]
    shuffled = data.draw(st.permutations(announcements + announcements))

    assert told(shuffled) == told(announcements)


_any = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.sampled_from(list(DeploymentOutcome))), min_size=1
)


@settings(max_examples=300, deadline=None)
@given(story=_any, data=st.data())
def test_who_is_live_does_not_depend_on_the_order_even_when_deployments_come_back(
    story: list[tuple[str, int, DeploymentOutcome]], data: st.DataObject
) -> None:
    announcements = [announce(name, minute=minute, outcome=outcome) for name, minute, outcome in story]
    shuffled = data.draw(st.permutations(announcements))

    known, again = told(announcements), told(shuffled)

    assert {name: item.status for name, item in known.items()} == {name: item.status for name, item in again.items()}
    assert sum(item.status is ACTIVE for item in known.values()) <= 1
