"""The rare windows that a run is for: how often each occurred, and which did not, so that it shows nothing. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from studio.gateway.records import EffectApplied, FaultApplied, RequestReceived
from studio.gateway.state import Created
from tests.chaos.evidence import Evidence
from tests.chaos.schedule import Fault, Kind

# After these nobody can tell from the answer what became of the call.
_AMBIGUOUS = frozenset(
    {
        "success_then_timeout",
        "reset",
        "status",
        "late_success",
        "garbage",
        "wrong_id",
        "cut",
        "hang",
        "duplicate_answer",
    }
)


def windows(evidence: Evidence) -> dict[str, int]:
    """Count how often each occurred."""
    ids = Counter((seen.record.topic, seen.identifier) for seen in evidence.seen if seen.identifier)
    creations = [told for told in evidence.told if told.command == "create"]
    unknown = {told.plan for told in creations if told.status is None}
    return {
        "executions cut off": sum(struck.executions for struck in evidence.struck),
        "executions claimed again": sum(row["epoch"] > 1 for row in evidence.executions.values()),
        "ambiguous answers": sum(_ambiguous(evidence)),
        "asked again after the effect": len(_asked_again(evidence)),
        "duplicate deliveries": sum(times > 1 for times in ids.values()),
        "creates without an answer, repeated": len(unknown & {told.plan for told in creations if told.accepted}),
        "creates repeated after the answer": sum(
            times > 1 for times in Counter(told.plan for told in creations if told.accepted).values()
        ),
        "under way when the broker died": _under_way(evidence, {Kind.BROKER_KILL}),
        "under way when PostgreSQL died": _under_way(evidence, {Kind.POSTGRES_KILL, Kind.BACKEND_KILL}),
        "poison parked": len(evidence.letters),
    }


def missing(counted: Mapping[str, int], faults: Sequence[Fault]) -> list[str]:
    """Name the windows that had to occur, given what was scheduled, and did not."""
    scheduled = {fault.kind for fault in faults}
    wanted = {"duplicate deliveries"}
    if any(fault.target == "executor" and fault.kind in {Kind.KILL, Kind.PAUSE} for fault in faults):
        wanted.add("executions cut off")
    if Kind.GATEWAY_LIES in scheduled:
        wanted |= {"ambiguous answers", "asked again after the effect"}
    if Kind.BROKER_KILL in scheduled:
        wanted.add("under way when the broker died")
    if Kind.POSTGRES_KILL in scheduled:
        wanted.add("under way when PostgreSQL died")
    if Kind.POISON in scheduled:
        wanted.add("poison parked")
    return sorted(name for name in wanted if not counted[name])


def _ambiguous(evidence: Evidence) -> Iterable[bool]:
    for records in evidence.gateways.values():
        for record in records:
            yield isinstance(record, FaultApplied) and record.fault in _AMBIGUOUS


def _asked_again(evidence: Evidence) -> set[str]:
    again: set[str] = set()
    for records in evidence.gateways.values():
        created: set[str] = set()
        for record in records:
            if isinstance(record, EffectApplied) and isinstance(record.effect, Created):
                created.add(record.effect.key)
            elif isinstance(record, RequestReceived) and record.key in created:
                again.add(record.key)
    return again


def _under_way(evidence: Evidence, kinds: set[Kind]) -> int:
    return sum(struck.promotions for struck in evidence.struck if struck.fault.kind in kinds)
