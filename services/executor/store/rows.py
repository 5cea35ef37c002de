"""Rows as values: how an execution and what it ordered are read from PostgreSQL."""

from typing import Any

from schemas.vocabulary import StatusReason
from services.executor.domain.announcement import Finished
from services.executor.domain.execution import Execution, ExecutionStatus, Order

ORDER_COLUMNS = (
    "organization_id", "promotion_id", "agent_id", "gateway_id", "environment", "source_deployment_id", "version",
    "digest", "caused_by", "traceparent",
)  # fmt: skip
EXECUTION_COLUMNS = (
    *ORDER_COLUMNS, "status", "epoch", "attempts", "doubtful", "verdict", "last_error", "received_at", "deadline_at",
    "give_up_at", "called_url", "called_credential",
)  # fmt: skip
FINISHED_COLUMNS = (*ORDER_COLUMNS, "status", "verdict", "last_error", "finished_at")

# Four ways to say that an execution has not ended (only what has ended is ever taken). Where its statistics take a
# partial index for empty, as those of a quiet hour do, PostgreSQL reads it from end to end. A claim looks for what is
# due, and for each of that into its slot: neither look can be served by the index for the other, nor by that of what is
# to be given up. What is found by its key is found by that alone.
UNFINISHED = "finished_at IS NULL"
IN_SLOT = "status IN ('waiting', 'calling', 'looking_up', 'fencing')"
ABANDONABLE = "finished_at IS NULL AND NOT taken"
OPEN = "status NOT IN ('succeeded', 'failed')"


def columns(names: tuple[str, ...], *, alias: str) -> str:
    """Name columns for a SELECT or RETURNING list."""
    return ", ".join(f"{alias}.{name}" for name in names)


def to_order(row: Any) -> Order:
    """Read what was ordered."""
    return Order(
        organization_id=row.organization_id,
        promotion_id=row.promotion_id,
        agent_id=row.agent_id,
        gateway_id=row.gateway_id,
        environment=row.environment,
        source_deployment_id=row.source_deployment_id,
        version=row.version,
        digest=row.digest,
        caused_by=row.caused_by,
        traceparent=row.traceparent,
    )


def to_execution(row: Any) -> Execution:
    """Read an execution under way."""
    return Execution(
        order=to_order(row),
        status=ExecutionStatus(row.status),
        epoch=row.epoch,
        attempts=row.attempts,
        doubtful=row.doubtful,
        verdict=None if row.verdict is None else StatusReason(row.verdict),
        last_error=row.last_error,
        received_at=row.received_at,
        deadline_at=row.deadline_at,
        give_up_at=row.give_up_at,
        called_url=row.called_url,
        called_credential=row.called_credential,
    )


def to_finished(row: Any) -> Finished:
    """Read an execution that came to its end; a success has no error, whatever was tried before."""
    failed = row.status == ExecutionStatus.FAILED
    return Finished(
        order=to_order(row),
        finished_at=row.finished_at,
        verdict=StatusReason(row.verdict) if failed else None,
        error=row.last_error if failed else None,
    )
