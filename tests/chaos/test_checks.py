"""Each checker finds nothing in a good run, and names what is wrong in one where that was changed."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from schemas.cloudevents import EncodedRecord
from tests.chaos.checks import violations
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Struck
from tests.chaos.samples import (
    PLAN,
    PROMOTION,
    at,
    created,
    good,
    history,
    log,
    put,
    row,
    seen,
    told,
    vote,
)
from tests.chaos.schedule import Fault, Kind


def found(evidence: Evidence) -> list[tuple[str, str]]:
    return [(each.category, each.text.partition(":")[0]) for each in violations(evidence)]


def steps(**of_the_last: Any) -> dict[UUID, list[dict[str, Any]]]:
    changed = history()
    changed[-1] |= of_the_last
    return {PROMOTION: changed}


def struck(*poison: EncodedRecord, wiped: bool = False, second: float = 10) -> Struck:
    fault = Fault(0, Kind.POISON, "kafka", while_asking=True, after_seconds=0, seconds=0, seed=0)
    return Struck(fault, at(second).timestamp(), poison=list(poison), wiped=wiped)


def test_a_good_run_breaks_nothing() -> None:
    assert found(good()) == []


BROKEN = {
    "accepted and gone": (good(promotions={}, history={}, gateways={}, seen=(), deployments=()), ("lost", "I1")),
    "accepted otherwise": (good(promotions={PROMOTION: row(agent_id="other")}), ("lost", "I1")),
    "one key, two promotions": (
        good(told=(told("create", 201), replace(told("create", 201), body={"id": str(UUID(int=9))}))),
        ("doubled", "I2"),
    ),
    "asked for once, there twice": (
        good(promotions={PROMOTION: row(), UUID(int=9): row(id=UUID(int=9))}),
        ("doubled", "I2"),
    ),
    "a failure at the door": (good(told=(told("create", 500),)), ("illegal", "I36")),
    "an end that changed": (good(told=(told("reject", 200, "rejected", "rejected"),)), ("illegal", "I17")),
    "created twice": (good(gateways={"gw-production": [*log(), created()]}), ("doubled", "I4")),
    "asked for with another body": (
        good(gateways={"gw-production": [*log(), put(2.6, body="b" * 64, number=2)]}),
        ("doubled", "I4"),
    ),
    "one approval missing": (good(votes=[vote("approver", 0.2)]), ("unapproved", "I13")),
    "approved by its creator": (good(votes=[vote("approver", 0.2), vote("Requester", 0.9)]), ("unapproved", "I13")),
    "approved too late": (good(votes=[vote("approver", 0.2), vote("approver2", 2.7)]), ("unapproved", "I13")),
    "asked for before it executed": (good(gateways={"gw-production": [put(1.5), created()]}), ("unapproved", "I7")),
    "rejected and asked for": (
        good(
            promotions={PROMOTION: row(status="rejected", status_reason="rejected")},
            history=steps(status="rejected", status_reason="rejected"),
        ),
        ("unapproved", "I7"),
    ),
    "completed and not at the gateway": (good(gateways={"gw-production": []}), ("lost", "I5")),
    "completed with other content": (
        good(gateways={"gw-production": [put(2.5), created(version="9")]}),
        ("lost", "I5"),
    ),
    "completed and not in inventory": (good(deployments=()), ("lost", "I5")),
    "failed and at the gateway": (
        good(
            promotions={PROMOTION: row(status="failed", status_reason="timed_out")},
            history=steps(status="failed", status_reason="timed_out"),
        ),
        ("illegal", "I6"),
    ),
    "a version missing": (good(history={PROMOTION: history()[1:]}), ("illegal", "I20")),
    "an entry of another state": (good(history=steps(status_reason="expired")), ("illegal", "I20")),
    "a step backwards": (good(history=steps(previous_status="pending")), ("illegal", "I9")),
    "a time backwards": (good(history=steps(at=at(1))), ("illegal", "I22")),
    "a broken chain": (good(broken_link=3), ("illegal", "I21")),
    "another one live": (
        good(deployments=[{**good().deployments[0], "deployment_id": "another"}]),
        ("illegal", "I11"),
    ),
    "a change never told": (good(seen=seen()[1:]), ("lost", "I23")),
    "a beginning never ordered": (good(seen=seen()[:-1]), ("lost", "I23")),
    "a change made up": (good(history={PROMOTION: history()[:3]}), ("illegal", "I23")),
    "changes told out of order": (good(seen=[seen()[1], seen()[0], *seen()[2:]]), ("illegal", "I23")),
    "a repeat that differs": (
        good(seen=[*seen(), replace(seen()[0], record=replace(seen()[0].record, value=seen()[1].record.value))]),
        ("doubled", "I23"),
    ),
    "a good record parked": (
        good(letters=[{"consumer_group": "rules", "key": b"x", "reason": "unprocessable", "detail": ""}]),
        ("lost", "I25"),
    ),
    "poison that nobody parked": (
        good(struck=[struck(EncodedRecord("promotion.approved", b"poison-1", (), b""))]),
        ("lost", "I25"),
    ),
    "something left to do": (good(left={"outbox of rules": 1}), ("stuck", "I38")),
    "no clear answer": (good(given_up=["plan 3: nothing"]), ("stuck", "I3")),
    "still executing": (
        good(
            promotions={PROMOTION: row(status="approved", status_reason="executing", completed_at=None)},
            history=steps(status="approved", status_reason="executing"),
        ),
        ("stuck", "I3"),
    ),
    "an execution without an end": (good(executions={PROMOTION: {"status": "calling"}}), ("stuck", "I3")),
}


@pytest.mark.parametrize(("evidence", "violation"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_wrong_is_named(evidence: Evidence, violation: tuple[str, str]) -> None:
    assert violation in found(evidence)


def test_what_waits_for_people_is_not_stuck() -> None:
    waiting = row(status="pending", status_reason="awaiting_approval", approvals=1, version=1, completed_at=None)
    entry = {**history()[0], "status_reason": "awaiting_approval"}

    broken = found(
        good(
            promotions={PROMOTION: waiting},
            history={PROMOTION: [entry]},
            executions={},
            gateways={},
            deployments=(),
            seen=(),
            struck=[struck(wiped=True)],
        )
    )

    assert broken == []


def test_what_a_broker_lost_with_its_data_may_have_been_seen_by_nobody_and_what_it_lost_before_may_not() -> None:
    unseen = seen()[1:]

    assert found(good(seen=unseen, struck=[struck(wiped=True, second=10)])) == []
    assert ("lost", "I23") in found(good(seen=unseen, struck=[struck(wiped=True, second=60)]))


def test_two_of_one_slot_that_overlap_are_named() -> None:
    other = UUID(int=9)
    later = [{**step, "chain_seq": step["chain_seq"] + 0.5} for step in history()]

    broken = found(
        good(
            promotions={PROMOTION: row(), other: row(id=other, source_deployment_id="dep-2")},
            history={PROMOTION: history(), other: later},
        )
    )

    assert ("illegal", "I11") in broken
    assert PLAN.agent_id == row()["agent_id"]
