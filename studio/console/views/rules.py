"""Rules as a list: what each hop needs, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.console.views.words import Standing, counted

Json = Mapping[str, Any]

_STANDINGS = {
    "active": Standing("Active", "✓", "good"),
    "shadow": Standing("Shadow: only recorded", "…", "go"),
    "disabled": Standing("Disabled", "–", "off"),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule of the list."""

    rule: Json
    standing: Standing
    needs: str


def listed(rules: Sequence[Json], environments: Sequence[str]) -> list[Listed]:
    """Give the rules by hop, in the order in which deployments move."""
    order = {name: place for place, name in enumerate(environments)}
    ordered = sorted(rules, key=lambda rule: (order.get(rule["source_environment"], len(order)), rule["name"]))
    return [Listed(rule, standing_of(rule), needs(rule)) for rule in ordered]


def standing_of(rule: Json) -> Standing:
    """Say whether a rule acts."""
    return _STANDINGS[rule["status"]]


def needs(rule: Json) -> str:
    """Say in words what a rule asks for."""
    said = [counted(rule["required_approvers"], "approval") if rule["requires_approval"] else "no approval"]
    if rule["conditions"]:
        said.append(counted(_leaves(rule["conditions"]), "condition"))
    if rule["auto_promote"]:
        said.append("asks by itself")
    if rule["execution"] == "manual":
        said.append("executed by hand")
    return ", ".join(said)


def _leaves(node: Any) -> int:
    if "not" in node:
        return _leaves(node["not"])
    children = node.get("all", node.get("any"))
    return 1 if children is None else sum(_leaves(child) for child in children)
