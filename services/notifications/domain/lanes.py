"""How much each webhook may have under way, so that one that hangs holds back itself alone. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.notifications.domain.course import FAILURES_TO_REST
from services.notifications.domain.hook import Hook

CONCURRENCY = 4
MOST_UNDER_WAY = 400
# Of these so many at most for webhooks that fail, which take as long as they may.
MOST_FOR_FAILING = 100
# And so many at most for one organization, however many webhooks it has that take their time.
MOST_FOR_ORGANIZATION = 100

# Organization and webhook.
Key = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many deliveries of one webhook to claim."""

    hook: Hook
    room: int


@dataclass(slots=True)
class _Room:
    """What is left, all together and for each organization."""

    under_way: Mapping[Key, int]
    left: int = field(init=False)
    of_organization: Counter[str] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self.left = MOST_UNDER_WAY - sum(self.under_way.values())
        for (organization_id, _), count in self.under_way.items():
            self.of_organization[organization_id] += count

    def take(self, hook: Hook, *, at_most: int) -> int:
        """Take as much as ``hook`` may have more, ``at_most`` with what it has."""
        of_organization = MOST_FOR_ORGANIZATION - self.of_organization[hook.organization_id]
        taken = max(0, min(at_most - self.under_way.get(hook.key, 0), self.left, of_organization))
        self.left -= taken
        self.of_organization[hook.organization_id] += taken
        return taken


def share_out(hooks: Sequence[Hook], under_way: Mapping[Key, int], *, first: int) -> list[Wanted]:
    """Say what to claim; those that do well come before those that fail, and ``first`` moves on within each.

    ``under_way`` counts the deliveries of each webhook that this process is making.
    """
    well = [hook for hook in hooks if not is_failing(hook)]
    failing = [hook for hook in hooks if is_failing(hook)]
    room = _Room(under_way)
    wanted = [Wanted(hook, room.take(hook, at_most=CONCURRENCY)) for hook in _from(well, first)]
    left_for_failing = MOST_FOR_FAILING - sum(under_way.get(hook.key, 0) for hook in failing)
    for hook in _from(failing, first):
        if left_for_failing > 0:
            wanted.append(Wanted(hook, room.take(hook, at_most=1)))
            left_for_failing -= wanted[-1].room
    return [item for item in wanted if item.room]


def is_failing(hook: Hook) -> bool:
    """Tell whether a webhook fails so steadily that one delivery at a time is enough to see whether it is back."""
    return hook.health.failures >= FAILURES_TO_REST


def _from(hooks: Sequence[Hook], first: int) -> Sequence[Hook]:
    start = first % len(hooks) if hooks else 0
    return [*hooks[start:], *hooks[:start]]
