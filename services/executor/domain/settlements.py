"""From the outcome of a lease to the row that it leaves, and to what is reported and recorded with it. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from schemas.values import dataclass
from schemas.vocabulary import StatusReason
from services.executor.domain.announcement import Finished
from services.executor.domain.course import Again, Failed, Outcome, Released, Succeeded
from services.executor.domain.execution import Execution, ExecutionStatus, checked_move


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a lease: the row as it has to be from now on."""

    organization_id: str
    promotion_id: UUID
    epoch: int
    status: ExecutionStatus
    due_at: datetime
    asked_to_wait: bool
    doubtful: bool
    verdict: StatusReason | None
    last_error: str | None
    give_up_at: datetime
    finished_at: datetime | None
    # Claims that came to nothing do not count.
    attempts: int
    # Something of it may be live at the address that was called.
    orphaned: bool


@dataclass(frozen=True, slots=True)
class Result:
    """How one lease ended: what was claimed, what came of it, and when."""

    execution: Execution
    outcome: Outcome
    at: datetime

    @property
    def orphaned(self) -> bool:
        """Tell whether something may be live that has to be fenced on."""
        return isinstance(self.outcome, Failed) and self.outcome.orphaned

    def ended(self, at: datetime | None) -> "Result":
        """Give the result with the end that was written, if there was one."""
        return self if at is None else replace(self, at=at)

    def finished(self) -> Finished | None:
        """Give what is to be reported, if this was the end."""
        order = self.execution.order
        match self.outcome:
            case Succeeded():
                return Finished(order=order, finished_at=self.at, verdict=None, error=None)
            case Failed(verdict=verdict, error=error):
                return Finished(order=order, finished_at=self.at, verdict=verdict, error=error)
        return None

    def settlement(self) -> Settlement:
        """Give the row as it has to become; raises IllegalMove where the table forbids it."""
        claimed, outcome = self.execution, self.outcome
        match outcome:
            case Succeeded():
                return self._row(claimed, ExecutionStatus.SUCCEEDED, due_at=self.at)
            case Failed():
                return self._row(claimed, ExecutionStatus.FAILED, due_at=self.at)
            case Again(execution=later, due_at=due_at):
                return self._row(later, later.status, due_at=due_at)
            case Released():
                status = claimed.status
                if status is ExecutionStatus.CALLING:
                    status = ExecutionStatus.WAITING
                return self._row(claimed, status, due_at=self.at)
        assert_never(outcome)

    def _row(self, execution: Execution, status: ExecutionStatus, *, due_at: datetime) -> Settlement:
        outcome = self.outcome
        failed = outcome if isinstance(outcome, Failed) else None
        return Settlement(
            organization_id=execution.order.organization_id,
            promotion_id=execution.order.promotion_id,
            epoch=execution.epoch,
            status=checked_move(self.execution.status, status),
            due_at=due_at,
            asked_to_wait=isinstance(outcome, Again) and outcome.asked_to_wait,
            doubtful=execution.doubtful,
            verdict=execution.verdict if failed is None else failed.verdict,
            last_error=execution.last_error if failed is None else failed.error,
            give_up_at=execution.give_up_at,
            finished_at=None if self.finished() is None else self.at,
            attempts=execution.attempts - 1 if isinstance(outcome, Released) else execution.attempts,
            orphaned=self.orphaned,
        )
