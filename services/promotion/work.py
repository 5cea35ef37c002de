"""One transaction's work on promotions: rows are saved as steps are made, events and history are written at its end.

It keeps the order of locks: slots, then rows, then chain heads.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Origin
from services.platform import tracing
from services.platform.messaging.outbox import Outbox
from services.promotion import events, history, metrics, store
from services.promotion import tracing as spans
from services.promotion.domain import lifecycle
from services.promotion.domain.binding import binding
from services.promotion.domain.lifecycle import Transition
from services.promotion.domain.progress import dispatched, superseded
from services.promotion.domain.promotion import Cause, Key, Promotion, Slot


@dataclass(slots=True)
class Work:
    """The steps of one transaction; ``now`` is the time of all of them."""

    connection: AsyncConnection
    outbox: Outbox
    redrive_after: timedelta
    now: datetime
    _made: list[Transition] = field(default_factory=list)

    async def locked(self, keys: Collection[Key]) -> dict[Key, Promotion]:
        """Load promotions for a change, their slots locked first."""
        await store.lock_slots(self.connection, await store.find_slots(self.connection, keys))
        return await store.load(self.connection, keys, lock=True)

    async def begin_at_once(self, courses: Collection[list[Transition]]) -> None:
        """Let each new promotion that is queued begin to execute where its slot has no other, without a turn in it.

        ``courses`` are the steps that each of them made so far; none is stored yet, and their slots are locked.
        """
        in_slot = Counter(course[-1].after.slot for course in courses)
        queued = {
            slot: course
            for course in courses
            if course[-1].after.state == lifecycle.QUEUED and (slot := course[-1].after.slot) and in_slot[slot] == 1
        }
        for slot in await store.idle_slots(self.connection, queued):
            promotion = queued[slot][-1].after
            step = dispatched(promotion, self._dispatch_cause(promotion))
            if step.after.state == lifecycle.EXECUTING:
                queued[slot].append(step)

    async def open(self, courses: Collection[Sequence[Transition]]) -> None:
        """Store new promotions, each with all the steps that it made so far; their slots are locked already."""
        await store.insert(self.connection, [course[-1].after for course in courses], redrive_after=self.redrive_after)
        self._made += chain.from_iterable(courses)

    async def save(self, moved: Sequence[Transition]) -> None:
        """Store steps of distinct promotions."""
        await store.save(self.connection, moved, redrive_after=self.redrive_after)
        self._made += moved

    async def renew(self, promotions: Sequence[Promotion]) -> None:
        """Store evaluations that moved nothing."""
        await store.save_evaluations(self.connection, promotions, redrive_after=self.redrive_after)

    async def dispatch(self, slots: Collection[Slot], known: Mapping[Key, Promotion] | None = None) -> None:
        """Start the oldest queued promotion of each of ``slots`` that is free; all of them have to be locked.

        ``known`` are promotions as they were saved just now, which need not be loaded again.
        """
        waiting: Collection[Slot] = set(slots)
        while keys := await store.first_queued(self.connection, waiting):
            queued = [known[key] for key in keys if key in known] if known else []
            others = keys - {promotion.key for promotion in queued}
            queued += (await store.load(self.connection, others, lock=True)).values() if others else ()
            steps = [dispatched(promotion, self._dispatch_cause(promotion)) for promotion in queued]
            await self.save(steps)
            await self._supersede([step.after for step in steps if step.after.state == lifecycle.EXECUTING])
            # Whose first turned out to be expired or unproven has another first now.
            waiting = {p.slot for p in (step.after for step in steps) if p.slot and p.state != lifecycle.EXECUTING}

    async def record(self) -> None:
        """Write the events and the history of every step; the last thing in the transaction."""
        if not self._made:
            return
        told = [event for step in self._made for event in events.of_transition(step)]
        told += [events.requested(step.after) for step in self._made if _asks_the_rules(step)]
        if tracing.is_on():
            told = spans.told(told)
            tracing.after_commit(spans.steps(self._made))
        await self.outbox.append(self.connection, told)
        await history.append(self.connection, self._made)
        metrics.count(self._made)

    async def _supersede(self, started: Sequence[Promotion]) -> None:
        if not started:
            return
        by_slot = {promotion.slot: promotion for promotion in started}
        older = await store.older_held(self.connection, started)
        await self.save([superseded(old, by_slot[old.slot], self._supersede_cause(by_slot[old.slot])) for old in older])

    def _dispatch_cause(self, promotion: Promotion) -> Cause:
        evaluation = promotion.evaluation
        evidence = {
            "evaluation": None if evaluation is None else evaluation.number,
            "approved_by": [vote.voter for vote in promotion.votes],
            "source_deployment_id": promotion.request.source_deployment_id,
            "deployment_version": promotion.deployment_version,
            "digest": promotion.digest,
            "target_gateway_id": promotion.target_gateway_id,
            "approval_digest": binding(promotion),
        }
        return Cause("service:promotion", self.now, evidence)

    def _supersede_cause(self, by: Promotion) -> Cause:
        return Cause("service:promotion", self.now, {"superseded_by": str(by.request.id)})


def _asks_the_rules(step: Transition) -> bool:
    # Whoever asked over Kafka has asked the rules already.
    return step.before is None and step.after.request.origin is Origin.USER
