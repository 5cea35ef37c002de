"""The reference model: what a promotion is worth, in as few words as possible and without the domain's own.

It knows people, numbers and time; it says where a promotion has to stand after each event, and whether it may execute.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Said:
    """What the newest evaluation said."""

    number: int = 0
    needed: int = 0
    proven: bool = True
    until: datetime | None = None
    manual: bool = False
    refused: bool = False


@dataclass
class Expected:
    """One promotion: who wants what, and where that leaves it."""

    requester: str
    created: int
    expires_at: datetime
    said: Said = field(default_factory=Said)
    approving: set[str] = field(default_factory=set)
    overriding: set[str] = field(default_factory=set)
    released: bool = False
    stands: str = "evaluating"
    accepted: bool = False

    @property
    def over(self) -> bool:
        return self.stands in {"deployed", "failed", "rejected", "cancelled", "expired", "superseded", "not_eligible"}

    @property
    def running(self) -> bool:
        return self.stands == "executing"

    @property
    def open(self) -> bool:
        return not self.over and not self.running

    def may_execute(self, now: datetime) -> bool:
        """Enough people other than the requester, and proof that still holds, or enough people who do without it."""
        said = self.said
        if said.number == 0 or said.refused:
            return False
        fresh = said.proven and (said.until is None or now < said.until)
        if fresh:
            return len(self.approving) >= said.needed
        return len(self.overriding) >= max(1, said.needed)

    def hear(self, said: Said, now: datetime, expires_at: datetime) -> None:
        if not self.open or said.number <= self.said.number:
            return
        self.said, self.expires_at = said, expires_at
        self.settle(now)

    def approve(self, person: str, *, override: bool, now: datetime) -> None:
        known = person in self.approving and (not override or person in self.overriding)
        late = self.accepted and not (self.stands == "conditions_unmet" and override)
        if known or person == self.requester or not self.open or late:
            return
        if now >= self.expires_at:
            self.stands = "expired"
            return
        self.approving.add(person)
        if override:
            self.overriding.add(person)
        self.settle(now)

    def reject(self, person: str, now: datetime) -> None:
        if self.open and not self.accepted and person != self.requester:
            self.stands = "expired" if now >= self.expires_at else "rejected"
            self.approving.discard(person)

    def cancel(self) -> None:
        if self.open:
            self.stands = "cancelled"

    def execute(self, now: datetime) -> None:
        if not (self.open and self.accepted) or self.released or not self.said.manual or self.stands == "queued":
            return
        if now >= self.expires_at:
            self.stands = "expired"
            return
        self.released = True
        if self.stands == "awaiting_execute":
            self.stands = "queued"

    def settle(self, now: datetime) -> None:
        if self.said.number == 0:
            return
        if now >= self.expires_at:
            self.stands = "expired"
        elif self.may_execute(now):
            waits = not self.accepted or self.stands == "conditions_unmet"
            self.accepted = True
            if waits:
                self.stands = "awaiting_execute" if self.said.manual and not self.released else "queued"
        elif self.accepted:
            self.stands = "conditions_unmet"
        elif self.said.refused:
            self.stands = "not_eligible"
        else:
            short = len(self.approving) < self.said.needed
            self.stands = "awaiting_approval" if short else "conditions_unmet"


def take_turns(slot: list[Expected], now: datetime) -> None:
    """Let the oldest queued promotion of a free slot begin; what is older and has not begun is superseded."""
    while not any(each.running for each in slot):
        queued = [each for each in slot if each.stands == "queued"]
        if not queued:
            return
        first = min(queued, key=lambda each: each.created)
        if now >= first.expires_at:
            first.stands = "expired"
        elif not first.may_execute(now):
            first.stands = "conditions_unmet"
        else:
            first.stands = "executing"
            for older in slot:
                if older.open and older.created < first.created:
                    older.stands = "superseded"
