"""Webhooks in words: how each does, what it wants to hear, and what became of its deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.console.views.words import Standing, counted

Json = Mapping[str, Any]

# What a form offers to be told of, by its value; the API can say it more finely.
OFFERED: Mapping[str, tuple[str, Json]] = {
    "waiting": ("what waits for approval", {"reasons": ["awaiting_approval"]}),
    "everything": ("every change", {}),
    "ended": ("what has ended", {"statuses": ["completed", "failed", "rejected"]}),
    "failed": ("what has failed", {"statuses": ["failed"]}),
    "glass": ("broken glass", {"break_glass": True}),
}
_FIELDS = (
    ("events", ""), ("statuses", "is "), ("reasons", "because "), ("target_environments", "to "), ("agent_ids", "of "),
)  # fmt: skip
_DELIVERIES = {
    "waiting": Standing("Waits", "…", "go"),
    "delivered": Standing("Delivered", "✓", "good"),
    "failed": Standing("Failed", "✗", "bad"),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One webhook of the list."""

    webhook: Json
    standing: Standing
    wants: str


def listed(webhook: Json) -> Listed:
    """Give a webhook with its state and its filter in words."""
    return Listed(webhook, standing_of(webhook), wants(webhook["filter"]))


def standing_of(webhook: Json) -> Standing:
    """Say whether a webhook is told, and whether it takes what it is told."""
    if webhook["status"] == "disabled":
        by_itself = webhook["status_reason"] is not None
        return Standing("Disabled", "✗" if by_itself else "–", "bad" if by_itself else "off")
    if webhook["failures"]:
        return Standing(f"Fails: {counted(webhook['failures'], 'attempt')} in a row", "!", "wait")
    return Standing("Active", "✓", "good")


def wants(wanted: Json) -> str:
    """Say what a filter leaves."""
    given = {name: value for name, value in wanted.items() if value is not None}
    environments = given.pop("target_environments", [])
    for offered, asked in OFFERED.values():
        if given == asked:
            return f"{offered}, to {' or '.join(environments)}" if environments else offered
    said = [
        before + " or ".join(value.replace("_", " ") for value in wanted[name])
        for name, before in _FIELDS
        if wanted.get(name)
    ]
    if wanted.get("break_glass") is not None:
        said.append("broken glass" if wanted["break_glass"] else "no broken glass")
    if not given.keys() <= {"break_glass", *(name for name, _ in _FIELDS)}:
        said.append("what only a newer version can tell")
    return ", ".join(said)


def delivery_standing(delivery: Json) -> Standing:
    """Say what became of a delivery."""
    return _DELIVERIES[delivery["status"]]


def filter_of(offered: str, environment: str) -> dict[str, Any]:
    """Give the filter that a form asks for; what it does not offer is every change."""
    asked = dict(OFFERED.get(offered, OFFERED["everything"])[1])
    return {**asked, "target_environments": [environment]} if environment else asked
