"""The board: agents by environments, each cell with what completed last, what is under way and what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.console.views.moments import moment
from studio.console.views.words import Tone, counted, standing

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a cell that leads to a promotion."""

    promotion_id: str
    sign: str
    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One gateway's part of a cell; ``newer`` is a version upstream that came later than what is live here."""

    gateway: str | None
    live: Json | None
    by: str
    newer: str | None
    newer_in: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Row:
    """One agent; ``cells`` holds the slots of each environment, in the environments' order."""

    agent_id: str
    cells: Sequence[Sequence[Slot]]


def rows(agents: Sequence[Json], environments: Sequence[str]) -> list[Row]:
    """Lay the board out."""
    return [
        Row(agent["agent_id"], [_cell(agent["slots"], environments, place) for place in range(len(environments))])
        for agent in agents
    ]


def _cell(slots: Sequence[Json], environments: Sequence[str], place: int) -> list[Slot]:
    here = [slot for slot in slots if slot["environment"] == environments[place]]
    upstream = [slot["live"] for slot in slots if place and slot["environment"] == environments[place - 1]]
    newest = max((live for live in upstream if live), key=lambda live: moment(live["deployed_at"]), default=None)
    return [_slot(slot, newest, several=len(here) > 1) for slot in here] or _nothing(newest)


def _nothing(newest: Json | None) -> list[Slot]:
    if newest is None:
        return []
    return [Slot(None, None, "", newest["version"], newest["environment"], ())]


def _slot(slot: Json, newest: Json | None, *, several: bool) -> Slot:
    live = slot["live"]
    lines = [line for line in (_under_way(slot["under_way"]), _trouble(slot["trouble"])) if line is not None]
    newer = newest if newest is not None and _is_newer(newest, live) else None
    return Slot(
        gateway=slot["gateway_id"] if several else None,
        live=live,
        by=slot["requested_by"] or "",
        newer=None if newer is None else newer["version"],
        newer_in="" if newer is None else newer["environment"],
        lines=lines,
    )


def _is_newer(upstream: Json, live: Json | None) -> bool:
    if live is None:
        return True
    if upstream["digest"] is not None and live["digest"] is not None:
        same = upstream["digest"] == live["digest"]
    else:
        same = upstream["version"] == live["version"]
    return not same and moment(upstream["deployed_at"]) > moment(live["deployed_at"])


def _under_way(promotion: Json | None) -> Line | None:
    if promotion is None:
        return None
    shown = standing(promotion)
    return Line(str(promotion["id"]), shown.sign, shown.tone, f"{_version(promotion)}, {_what_it_waits_for(promotion)}")


def _what_it_waits_for(promotion: Json) -> str:
    if promotion["status_reason"] == "awaiting_approval":
        missing = max((promotion["required_approvers"] or 1) - promotion["approvals"], 1)
        return f"waits for {counted(missing, 'more approval' if promotion['approvals'] else 'approval')}"
    label = standing(promotion).label
    return label[0].lower() + label[1:]


def _trouble(promotion: Json | None) -> Line | None:
    if promotion is None:
        return None
    shown = standing(promotion)
    label = shown.label[0].lower() + shown.label[1:]
    return Line(str(promotion["id"]), shown.sign, shown.tone, f"{_version(promotion)}, {label}")


def _version(promotion: Json) -> str:
    return promotion["deployment_version"] or "version not known yet"
