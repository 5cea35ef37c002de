"""The states of a promotion as people say them: a word, a sign and a tone, so that colour is never the only one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["wait", "go", "good", "bad", "off"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a state is shown."""

    label: str
    sign: str
    tone: Tone


_STANDINGS: Mapping[str, Standing] = {
    "evaluating": Standing("Evaluating", "…", "go"),
    "awaiting_approval": Standing("Waits for approval", "?", "wait"),
    "conditions_unmet": Standing("Waits for its conditions", "?", "wait"),
    "queued": Standing("Queued", "…", "go"),
    "awaiting_execute": Standing("Waits to be executed", "?", "wait"),
    "executing": Standing("Deploying", "…", "go"),
    "retrying": Standing("Deploying, trying again", "…", "go"),
    "deployed": Standing("Deployed", "✓", "good"),
    "rejected": Standing("Rejected", "✗", "bad"),
    "cancelled": Standing("Cancelled", "–", "off"),
    "expired": Standing("Expired", "–", "off"),
    "superseded": Standing("Superseded", "–", "off"),
    "not_eligible": Standing("Not eligible", "✗", "bad"),
    "gateway_refused": Standing("Failed: the gateway refused", "✗", "bad"),
    "gateway_unreachable": Standing("Failed: gateway unreachable", "✗", "bad"),
    "timed_out": Standing("Failed: timed out", "✗", "bad"),
}


def standing(promotion: Mapping[str, Any]) -> Standing:
    """Say where a promotion stands; a reason that is newer than this console is shown as it is."""
    reason = str(promotion["status_reason"])
    return _STANDINGS.get(reason, Standing(reason.replace("_", " "), "…", "off"))


def approvals_missing(promotion: Mapping[str, Any]) -> int:
    """Count the approvals that a promotion still needs."""
    return max((promotion["required_approvers"] or 0) - len(approvers(promotion)), 0)


def approvers(promotion: Mapping[str, Any]) -> list[str]:
    """Name who has approved so far."""
    return [vote["voter"] for vote in promotion["votes"] if vote["decision"] == "approve"]


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
