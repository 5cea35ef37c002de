"""The promotion service without PostgreSQL: the pure domain over dictionaries, committed whole or not at all.

It does what the handlers do, in their order: change, dispatch, supersede, record.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime

from services.promotion.domain import lifecycle, progress
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Cause, Promotion, Slot


@dataclass
class Desk:
    """Promotions by name, the history of each, and the orders that were given."""

    promotions: dict[str, Promotion] = field(default_factory=dict)
    history: dict[str, list[Transition]] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)

    def commit(self, name: str, change: Callable[["Desk"], Transition | Promotion | None], now: datetime) -> None:
        """Change one promotion with all that follows from it; where that raises, nothing has happened."""
        draft = Desk(
            dict(self.promotions), {key: copy(steps) for key, steps in self.history.items()}, list(self.orders)
        )
        outcome = change(draft)
        match outcome:
            case Transition() as step:
                draft.keep(name, step)
                slot = step.after.slot
                if slot is not None and (
                    step.after.state == lifecycle.QUEUED or step.after.state in lifecycle.TERMINAL
                ):
                    draft.dispatch(slot, now)
            case Promotion() as renewed:
                draft.promotions[name] = renewed
            case None:
                pass
        self.promotions, self.history, self.orders = draft.promotions, draft.history, draft.orders

    def keep(self, name: str, step: Transition) -> None:
        known = self.promotions.get(name)
        if known is not None and (step.before is None or known.version != step.before.version):
            raise AssertionError(f"{name} was changed behind the step's back")
        self.promotions[name] = step.after
        self.history.setdefault(name, []).append(step)
        if step.after.state == lifecycle.EXECUTING:
            self.orders.append(name)

    def dispatch(self, slot: Slot, now: datetime) -> None:
        cause = Cause("service:promotion", now, {})
        while True:
            here = {name: each for name, each in self.promotions.items() if each.slot == slot}
            queued = [name for name, each in here.items() if each.state == lifecycle.QUEUED]
            if not queued or any(each.state == lifecycle.EXECUTING for each in here.values()):
                return
            first = min(queued, key=lambda name: here[name].request.created_at)
            step = progress.dispatched(here[first], cause)
            self.keep(first, step)
            if step.after.state == lifecycle.EXECUTING:
                self._supersede(here, first, step.after, cause)

    def _supersede(self, here: dict[str, Promotion], first: str, started: Promotion, cause: Cause) -> None:
        for name, each in here.items():
            held = each.state in lifecycle.PENDING | lifecycle.HELD
            if name != first and held and each.request.created_at < started.request.created_at:
                self.keep(name, progress.superseded(each, started, cause))
