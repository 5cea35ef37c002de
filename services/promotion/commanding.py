"""One person's command on one promotion: load it locked, decide, save, and start what it sets free."""

from collections.abc import Callable

from services.promotion import store
from services.promotion.domain import lifecycle
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.promotion import Key, Promotion
from services.promotion.work import Work

Decide = Callable[[Promotion], Transition | None]


async def command(work: Work, key: Key, decide: Decide) -> Promotion | None:
    """Apply what ``decide`` makes of the promotion; give it as it stands then, None where there is no such one."""
    promotion = (await work.locked([key])).get(key)
    if promotion is None:
        return None
    step = decide(promotion)
    if step is None:
        return promotion
    await work.save([step])
    if step.after.state == lifecycle.QUEUED and step.after.slot is not None:
        await work.dispatch([step.after.slot])
    await work.record()
    return (await store.load(work.connection, [key], lock=False))[key]
