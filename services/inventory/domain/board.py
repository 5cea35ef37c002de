"""Lays the board out: puts what is live, under way and gone wrong into the slots of each agent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.overviews import BoardAgent, BoardPromotion, BoardSlot
from schemas.resources import Deployment

Row = Mapping[str, Any]
# Environment and gateway; no gateway while none is chosen.
Place = tuple[str, str | None]


def lay_out(
    agents: Sequence[str], *, live: Iterable[Row], under_way: Iterable[Row], trouble: Iterable[Row]
) -> list[BoardAgent]:
    """Give the agents in this order, each with its slots by environment and gateway."""
    found: dict[str, dict[Place, dict[str, Any]]] = {agent: defaultdict(dict) for agent in agents}
    for row in live:
        place = (row["environment"], row["gateway_id"])
        found[row["agent_id"]][place] |= {"live": Deployment(**row), "requested_by": row["requested_by"]}
    for name, rows in (("trouble", trouble), ("under_way", under_way)):
        for row in rows:
            slots = found[row["agent_id"]]
            slots[_place(row, slots)][name] = BoardPromotion(**row)
    return [
        BoardAgent(agent_id=agent, slots=[_slot(place, slots[place]) for place in sorted(slots, key=_order)])
        for agent, slots in found.items()
    ]


def _place(row: Row, slots: Mapping[Place, Any]) -> Place:
    environment, gateway = row["target_environment"], row["target_gateway_id"]
    if gateway is None:
        known = [place for place in slots if place[0] == environment]
        return known[0] if len(known) == 1 else (environment, None)
    return environment, gateway


def _slot(place: Place, found: Mapping[str, Any]) -> BoardSlot:
    live, trouble = found.get("live"), found.get("trouble")
    if live is not None and trouble is not None and trouble.created_at <= live.deployed_at:
        trouble = None
    return BoardSlot(
        environment=place[0],
        gateway_id=place[1],
        live=live,
        requested_by=found.get("requested_by"),
        under_way=found.get("under_way"),
        trouble=trouble,
    )


def _order(place: Place) -> tuple[str, str]:
    return place[0], place[1] or ""
