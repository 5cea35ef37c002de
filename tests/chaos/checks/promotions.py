"""Promotions and their histories by themselves: legal steps, whole and in order, and an end or a reason to wait."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.checks.told import TERMINAL
from tests.chaos.evidence import Evidence

_SUCCESSORS = {
    None: {"pending"},
    "pending": {"pending", "approved", "rejected"},
    "approved": {"approved", "completed", "failed", "rejected"},
}
_RUNNING = frozenset({"executing", "retrying"})


def illegal_steps(evidence: Evidence) -> Iterator[str]:
    """I8, I9, I20, I21, I22: the history has every version once, in order, and leads to the row."""
    if evidence.broken_link is not None:
        yield f"I21: the chain breaks at {evidence.broken_link}"
    for identifier, row in evidence.promotions.items():
        steps = evidence.history.get(identifier, ())
        versions = [step["version"] for step in steps]
        if versions != list(range(1, row["version"] + 1)):
            yield f"I20: {identifier} is at version {row['version']} and has entries {versions}"
            continue
        if (steps[-1]["status"], steps[-1]["status_reason"]) != (row["status"], row["status_reason"]):
            yield f"I20: {identifier} is {row['status']}/{row['status_reason']} and folds to {steps[-1]['status']}"
        if [step["at"] for step in steps] != sorted(step["at"] for step in steps):
            yield f"I22: {identifier} has a history out of order"
        before: dict[str, Any] | None = None
        for step in steps:
            yield from _step(identifier, before, step)
            before = step


def _step(identifier: object, before: dict[str, Any] | None, step: dict[str, Any]) -> Iterator[str]:
    previous = before["status"] if before else None
    if step["previous_status"] != previous or step["status"] not in _SUCCESSORS.get(previous, set()):
        yield f"I9: {identifier} went from {previous} to {step['status']}"
    if before and before["status_reason"] in _RUNNING and step["status"] == "rejected":
        yield f"I9: {identifier} was rejected while it executed"


def stuck(evidence: Evidence) -> Iterator[str]:
    """I3, I38: after healing everything is at its end, or waits for people; and nothing is left to do."""
    yield from (f"I3: {trouble}" for trouble in evidence.given_up)
    yield from (f"I38: {count} × {name}" for name, count in evidence.left.items() if count)
    for identifier, row in evidence.promotions.items():
        waits = row["status"] == "pending" and row["status_reason"] == "awaiting_approval"
        if row["status"] in TERMINAL or (waits and row["approvals"] < row["required_approvers"]):
            continue
        yield f"I3: {identifier} is {row['status']}/{row['status_reason']} since {row['changed_at']:%H:%M:%S}"
    for identifier, execution in evidence.executions.items():
        if execution["status"] not in {"succeeded", "failed"}:
            yield f"I3: the execution of {identifier} is {execution['status']}"
