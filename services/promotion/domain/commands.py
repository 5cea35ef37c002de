"""What people may do to a promotion: approve, reject, cancel, execute.

Each gives the step that follows, None where the same person gave the same command before, or raises why not.
"""

from dataclasses import replace

from schemas.principals import principal_key
from schemas.vocabulary import Decision, Execution
from services.promotion.domain import lifecycle
from services.promotion.domain.approvals import vote_of
from services.promotion.domain.binding import binding, counted
from services.promotion.domain.lifecycle import Transition, move
from services.promotion.domain.progress import QUEUED_MESSAGE, expired, voted
from services.promotion.domain.promotion import Cause, Promotion, Vote


class TooLate(Exception):
    """The promotion no longer stands where the command could do something."""

    def __init__(self, command: str, promotion: Promotion) -> None:
        state = promotion.state
        super().__init__(f"it is too late to {command} the promotion: it is {state.status} ({state.reason})")
        self.promotion = promotion


class OwnPromotion(Exception):
    """Nobody votes on what they asked for themselves."""

    def __init__(self) -> None:
        super().__init__("you requested this promotion, so somebody else has to vote on it")


class NotYours(Exception):
    """The command belongs to whoever requested the promotion, or to those with more rights."""


class NotApproved(Exception):
    """The promotion has to be approved before it can be executed."""

    def __init__(self, promotion: Promotion) -> None:
        super().__init__(f"the promotion is not approved yet ({promotion.state.reason}); approve it first")
        self.promotion = promotion


def approve(promotion: Promotion, vote: Vote, cause: Cause) -> Transition | None:
    """Vote for it as it is now; who voted before may still add an override, or vote again for what has changed."""
    vote = replace(vote, binds=binding(promotion))
    before = vote_of(promotion.votes, vote.voter)
    if before is not None and before.decision is Decision.APPROVE and _says_no_more(vote, before):
        return None
    if principal_key(vote.voter) == principal_key(promotion.request.created_by):
        raise OwnPromotion
    if promotion.state not in lifecycle.PENDING and not _open_again(promotion, vote):
        raise TooLate("approve", promotion)
    if cause.at >= promotion.expires_at:
        return expired(promotion, cause)
    return replace(voted(promotion.but(votes=_with(vote, promotion, before)), cause), before=promotion)


def break_glass(promotion: Promotion, vote: Vote, cause: Cause) -> Transition | None:
    """Approve alone, be it one's own and whatever its conditions; only a veto and the eligibility still stand."""
    vote = replace(vote, binds=binding(promotion))
    before = vote_of(promotion.votes, vote.voter)
    if before is not None and before.breaks_glass and _says_no_more(vote, before):
        return None
    if promotion.state not in lifecycle.PENDING | {lifecycle.APPROVED_CONDITIONS}:
        raise TooLate("break the glass for", promotion)
    if cause.at >= promotion.expires_at:
        # Nothing was broken, and nobody is to be alarmed.
        return expired(promotion, replace(cause, evidence={**cause.evidence, "break_glass": False}))
    step = voted(promotion.but(votes=_with(vote, promotion, before)), cause)
    message = f"{vote.voter} broke the glass: {vote.reason} {step.after.message}"
    return replace(step, before=promotion, after=step.after.but(message=message))


def reject(promotion: Promotion, vote: Vote, cause: Cause) -> Transition | None:
    """Vote against it: it ends."""
    before = vote_of(promotion.votes, vote.voter)
    if before is not None and before.decision is Decision.REJECT:
        return None
    if principal_key(vote.voter) == principal_key(promotion.request.created_by):
        raise OwnPromotion
    if promotion.state not in lifecycle.PENDING:
        raise TooLate("reject", promotion)
    if cause.at >= promotion.expires_at:
        return expired(promotion, cause)
    return move(
        promotion,
        lifecycle.REJECTED,
        message=f"{vote.voter} rejected it: {vote.reason}",
        cause=cause,
        votes=_with(vote, promotion, before),
        ended_by=vote.voter,
        rejection_reason=vote.reason,
    )


def cancel(promotion: Promotion, *, reason: str | None, for_anyone: bool, cause: Cause) -> Transition | None:
    """Take it back; ``for_anyone`` lets somebody who did not request it do so."""
    if promotion.state == lifecycle.CANCELLED and principal_key(promotion.ended_by or "") == principal_key(cause.actor):
        return None
    if not for_anyone and principal_key(cause.actor) != principal_key(promotion.request.created_by):
        raise NotYours("only whoever requested the promotion, or an administrator, may cancel it")
    if promotion.state not in lifecycle.PENDING | lifecycle.HELD:
        raise TooLate("cancel", promotion)
    message = f"{cause.actor} cancelled it{': ' + reason if reason else '.'}"
    return move(
        promotion,
        lifecycle.CANCELLED,
        message=message,
        cause=cause,
        ended_by=cause.actor,
        rejection_reason=reason or message,
    )


def execute(promotion: Promotion, *, for_anyone: bool, cause: Cause) -> Transition | None:
    """Let an approved promotion start; where it starts by itself there is nothing to do.

    ``for_anyone`` lets somebody who did not request it do so.
    """
    if not for_anyone and principal_key(cause.actor) != principal_key(promotion.request.created_by):
        raise NotYours("only whoever requested the promotion, or somebody with the role executor, may execute it")
    if promotion.state in lifecycle.PENDING:
        raise NotApproved(promotion)
    if promotion.state in lifecycle.TERMINAL - {lifecycle.COMPLETED}:
        raise TooLate("execute", promotion)
    if promotion.state not in {lifecycle.AWAITING_EXECUTE, lifecycle.APPROVED_CONDITIONS} or _starts_by_itself(
        promotion
    ):
        return None
    if cause.at >= promotion.expires_at:
        return expired(promotion, cause)
    if promotion.state == lifecycle.APPROVED_CONDITIONS:
        return move(promotion, promotion.state, message=promotion.message, cause=cause, released=True)
    return move(promotion, lifecycle.QUEUED, message=QUEUED_MESSAGE, cause=cause, released=True)


def _starts_by_itself(promotion: Promotion) -> bool:
    evaluation = promotion.evaluation
    return promotion.released or (evaluation is not None and evaluation.execution is Execution.AUTOMATIC)


def _open_again(promotion: Promotion, vote: Vote) -> bool:
    """Tell whether an approved promotion waits for more votes: an override, or new ones where the old ones are void."""
    is_void = len(counted(promotion)) < len(promotion.votes)
    return promotion.state == lifecycle.APPROVED_CONDITIONS and (vote.override_conditions or is_void)


def _says_no_more(vote: Vote, before: Vote) -> bool:
    is_void = before.revoked or before.binds != vote.binds
    return not is_void and (before.override_conditions or not vote.override_conditions)


def _with(vote: Vote, promotion: Promotion, before: Vote | None) -> tuple[Vote, ...]:
    return (*(other for other in promotion.votes if other is not before), vote)
