"""How much each webhook may have under way, so that one that hangs holds back itself alone. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notifications.domain.course import FAILURES_TO_REST
from services.notifications.domain.hook import Hook

CONCURRENCY = 4
MOST_UNDER_WAY = 400
# Of these so many at most for webhooks that fail, which take as long as they may.
MOST_FOR_FAILING = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many deliveries of one webhook to claim."""

    hook: Hook
    room: int


def share_out(hooks: Sequence[Hook], under_way: Mapping[UUID, int], *, first: int) -> list[Wanted]:
    """Say what to claim; those that do well come before those that fail, and ``first`` moves on within each.

    ``under_way`` counts the deliveries of each webhook that this process is making.
    """
    well = [hook for hook in hooks if not is_failing(hook)]
    failing = [hook for hook in hooks if is_failing(hook)]
    left = MOST_UNDER_WAY - sum(under_way.values())
    left_for_failing = min(left, MOST_FOR_FAILING - sum(under_way.get(hook.id, 0) for hook in failing))
    wanted: list[Wanted] = []
    for hook in _from(well, first):
        room = min(CONCURRENCY - under_way.get(hook.id, 0), left)
        if room > 0:
            wanted.append(Wanted(hook, room))
            left -= room
    for hook in _from(failing, first):
        room = min(1 - under_way.get(hook.id, 0), left, left_for_failing)
        if room > 0:
            wanted.append(Wanted(hook, room))
            left -= room
            left_for_failing -= room
    return wanted


def is_failing(hook: Hook) -> bool:
    """Tell whether a webhook fails so steadily that one delivery at a time is enough to see whether it is back."""
    return hook.health.failures >= FAILURES_TO_REST


def _from(hooks: Sequence[Hook], first: int) -> Sequence[Hook]:
    start = first % len(hooks) if hooks else 0
    return [*hooks[start:], *hooks[:start]]
