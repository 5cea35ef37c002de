"""What the votes amount to: Granted, Waiting or Vetoed; and who counts as whom.

A person is one voter however the subject is written, and never a voter on the person's own request.
"""

from collections.abc import Sequence
from dataclasses import field

from schemas.principals import principal_key
from schemas.values import dataclass
from schemas.vocabulary import Decision
from services.promotion.domain.promotion import Vote


@dataclass(frozen=True, slots=True)
class Granted:
    """Enough people are for it; ``deciding`` is the vote that made it enough, none where none is needed."""

    deciding: Vote | None = None
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Votes are missing."""

    present: int
    needed: int


@dataclass(frozen=True, slots=True)
class Vetoed:
    """Somebody is against it, and that is final."""

    vote: Vote


Verdict = Granted | Waiting | Vetoed


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes on one promotion, without what the requester may have cast."""

    requester: str
    votes: Sequence[Vote] = field(default=())

    def verdict(self, *, needed: int, overrides_only: bool = False) -> Verdict:
        """Say what the votes amount to when ``needed`` approvals, or overrides alone, are wanted."""
        veto = next((vote for vote in self.votes if vote.is_veto), None)
        if veto is not None:
            return Vetoed(veto)
        alone = next((vote for vote in self.votes if vote.breaks_glass), None)
        if alone is not None:
            return Granted(alone, overridden=True)
        counted = self.approving(overrides_only=overrides_only)
        if len(counted) < needed:
            return Waiting(present=len(counted), needed=needed)
        return Granted(counted[needed - 1] if needed else None, overridden=overrides_only)

    def approving(self, *, overrides_only: bool = False) -> list[Vote]:
        """Give one approval for each distinct person, in the order in which they were cast; the requester has none."""
        requester = principal_key(self.requester)
        by_person = {
            principal_key(vote.voter): vote
            for vote in sorted(self.votes, key=lambda vote: vote.voted_at)
            if vote.decision is Decision.APPROVE and (vote.override_conditions or not overrides_only)
        }
        return [vote for key, vote in by_person.items() if key != requester or vote.breaks_glass]


def approvals(requester: str, votes: Sequence[Vote]) -> int:
    """Count the distinct people who approved."""
    return len(Ballot(requester, votes).approving())


def vote_of(votes: Sequence[Vote], subject: str) -> Vote | None:
    """Find the vote of ``subject``, however it is spelt."""
    wanted = principal_key(subject)
    return next((vote for vote in votes if principal_key(vote.voter) == wanted), None)
