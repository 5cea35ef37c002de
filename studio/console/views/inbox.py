"""The inbox: each promotion that waits, with all that a person needs to decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.platform.identity import Principal
from studio.console.views.explanation import Check, conditions_unmet, evaluated, leaves
from studio.console.views.permissions import why_not_approve, why_not_reject
from studio.console.views.words import approvers, counted

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One promotion of the inbox; a ``why_not`` is empty where the button may be pressed."""

    promotion: Json
    replaced: str
    rules: str
    votes: str
    checks: Sequence[Check]
    conditions_unmet: bool
    why_not_approve: str | None
    why_not_reject: str | None

    @property
    def is_mine(self) -> bool:
        """Tell whether the person may decide it now."""
        return self.why_not_approve is None


def request(
    principal: Principal, promotion: Json, *, slots: Sequence[Json], explanation: Json, now: datetime
) -> Request:
    """Put together what one promotion shows; ``slots`` are those of its agent on the board."""
    return Request(
        promotion=promotion,
        replaced=replaced(promotion, slots),
        rules=rules(promotion),
        votes=votes(promotion),
        checks=[leaf for rule in evaluated(explanation) for leaf in leaves(rule["tree"], now)],
        conditions_unmet=conditions_unmet(explanation),
        why_not_approve=why_not_approve(principal, promotion),
        why_not_reject=why_not_reject(principal, promotion),
    )


def replaced(promotion: Json, slots: Sequence[Json]) -> str:
    """Say what would no longer run."""
    gateway = promotion["target_gateway_id"]
    if gateway is None:
        return "the gateway is not known yet"
    live = next((slot["live"] for slot in slots if slot["gateway_id"] == gateway), None)
    return f"replaces {live['version']}" if live else "nothing runs there yet"


def rules(promotion: Json) -> str:
    """Name the rules that apply, with their versions."""
    named = ", ".join(f"{rule['name']} (version {rule['version']})" for rule in promotion["rules"])
    return named or "built-in default"


def votes(promotion: Json) -> str:
    """Say how many approved of how many needed, and who."""
    needed, given = promotion["required_approvers"] or 0, approvers(promotion)
    said = f"{len(given)} of {counted(needed, 'approval')}"
    return f"{said}: {', '.join(given)}" if given else said
