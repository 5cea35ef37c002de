"""The schedule comes from the seed alone, meets every kind of fault, and a run that missed its windows is invalid."""

from tests.chaos.checks import Violation
from tests.chaos.report import BROKEN, HELD, INVALID, Report, recovery_seconds
from tests.chaos.run import Options
from tests.chaos.samples import PROMOTION, at, row
from tests.chaos.schedule import Door, Kind, schedule
from tests.chaos.windows import missing

OPTIONS = Options(promotions=1, faults=1, seed=1)


def test_the_same_seed_gives_the_same_schedule_and_another_one_another() -> None:
    first, again, other = (schedule(promotions=200, faults=30, seed=seed, groups=False) for seed in (5, 5, 6))

    assert first == again
    assert first != other


def test_every_promotion_is_in_one_part_and_every_kind_of_fault_occurs() -> None:
    parts = schedule(promotions=200, faults=40, seed=1, groups=True)

    numbers = [plan.number for part in parts for plan in part.plans]
    assert numbers == list(range(200))
    assert {part.fault.kind for part in parts} == set(Kind)


def test_the_embedded_broker_gets_no_second_workers() -> None:
    kinds = {part.fault.kind for part in schedule(promotions=10, faults=100, seed=1, groups=False)}

    assert kinds == set(Kind) - {Kind.TWIN}


def test_a_short_run_has_the_faults_of_the_rare_windows() -> None:
    kinds = {part.fault.kind for part in schedule(promotions=60, faults=6, seed=9, groups=False)}

    assert kinds == {
        Kind.KILL,
        Kind.GATEWAY_LIES,
        Kind.POSTGRES_KILL,
        Kind.REPEATED,
        Kind.POISON,
        Kind.BROKER_KILL,
    }


def test_what_somebody_takes_back_was_asked_for_by_that_one() -> None:
    plans = [plan for part in schedule(promotions=500, faults=5, seed=2, groups=False) for plan in part.plans]

    taken_back = [plan for plan in plans if any(decision.command == "cancel" for decision in plan.decisions)]
    assert {plan.door for plan in taken_back} == {Door.HTTP}


def test_a_run_without_its_windows_is_invalid_and_says_which_are_missing() -> None:
    faults = [part.fault for part in schedule(promotions=60, faults=6, seed=9, groups=False)]

    assert missing(dict.fromkeys(_counted(), 1), faults) == []
    assert missing(dict.fromkeys(_counted(), 0), faults) == sorted(_counted())
    assert missing(dict.fromkeys(_counted(), 0), []) == ["duplicate deliveries"]


def _counted() -> set[str]:
    return {
        "ambiguous answers",
        "asked again after the effect",
        "duplicate deliveries",
        "executions cut off",
        "poison parked",
        "under way when PostgreSQL died",
        "under way when the broker died",
    }


def test_what_does_not_hold_outweighs_what_did_not_occur() -> None:
    violation = Violation("lost", "I1: gone")

    assert Report(OPTIONS, [], [], {}).status == HELD
    assert Report(OPTIONS, [], ["poison parked"], {}).status == INVALID
    assert Report(OPTIONS, [violation], ["poison parked"], {}).status == BROKEN


def test_recovery_is_counted_from_the_last_healing_before_the_end() -> None:
    promotions = {PROMOTION: row(created_at=at(0), completed_at=at(9))}

    seconds = recovery_seconds(promotions, [at(1).timestamp(), at(5).timestamp(), at(20).timestamp()])

    assert seconds == [4.0]
    assert recovery_seconds(promotions, [at(20).timestamp()]) == []
