"""One execution: what is ordered, where it stands, and which moves there are.

Its key at the gateway is the promotion's id, so that every attempt asks for the same thing.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

from schemas.values import dataclass
from schemas.vocabulary import StatusReason


class ExecutionStatus(StrEnum):
    """Where an execution stands; the last two are final."""

    # Nothing of it can be live: it was never sent, or every call was answered with a clear no-effect.
    WAITING = "waiting"
    # The intent to call is committed; whoever finds it here with its lease run out has to look it up.
    CALLING = "calling"
    # A call was sent and its outcome is not known: ask the gateway before sending again.
    LOOKING_UP = "looking_up"
    # It will fail; the gateway has to confirm first that it will never be live.
    FENCING = "fencing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_ENCODER = json.JSONEncoder(separators=(",", ":"))
_S = ExecutionStatus
FINISHED = frozenset({_S.SUCCEEDED, _S.FAILED})
SUCCESSORS: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = MappingProxyType(
    {
        _S.WAITING: frozenset({_S.CALLING, _S.FAILED}),
        _S.CALLING: frozenset({_S.WAITING, _S.LOOKING_UP, _S.FENCING, _S.SUCCEEDED, _S.FAILED}),
        _S.LOOKING_UP: frozenset({_S.LOOKING_UP, _S.FENCING, _S.SUCCEEDED, _S.FAILED}),
        _S.FENCING: frozenset({_S.FENCING, _S.FAILED}),
        _S.SUCCEEDED: frozenset(),
        _S.FAILED: frozenset(),
    }
)


# Organization, promotion and epoch: no other lease has the same, also of the same execution.
LeaseId: TypeAlias = tuple[str, UUID, int]


class IllegalMove(Exception):
    """An execution was about to move where it never may; the message names both ends."""


def checked_move(before: ExecutionStatus, after: ExecutionStatus) -> ExecutionStatus:
    """Give ``after`` where the table allows to go there from ``before``; raises IllegalMove."""
    if after not in SUCCESSORS[before]:
        raise IllegalMove(f"an execution cannot go from {before} to {after}")
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be created, and where; never changes."""

    organization_id: str
    promotion_id: UUID
    agent_id: str
    gateway_id: str
    environment: str
    source_deployment_id: str
    version: str
    digest: str | None
    # Identifies the event that gave the order.
    caused_by: str
    traceparent: str | None

    @property
    def key(self) -> str:
        """Name the deployment at the gateway."""
        return str(self.promotion_id)

    @property
    def content(self) -> dict[str, str | None]:
        """Give what the gateway is told, field by field, always in the same order."""
        return {
            "organization_id": self.organization_id,
            "agent_id": self.agent_id,
            "version": self.version,
            "digest": self.digest,
            "environment": self.environment,
            "gateway_id": self.gateway_id,
            "source_deployment_id": self.source_deployment_id,
        }

    def body(self) -> bytes:
        """Give the body of the call; the same bytes in every repeat."""
        return _ENCODER.encode(self.content).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """An order under way, as its lease's holder sees it; ``epoch`` is the lease's fencing token."""

    order: Order
    status: ExecutionStatus
    epoch: int
    attempts: int
    # Something of it may be live although no answer said so.
    doubtful: bool
    # How it fails if it does.
    verdict: StatusReason | None
    last_error: str | None
    received_at: datetime
    deadline_at: datetime
    # When even fencing is given up.
    give_up_at: datetime
    # The address that the lease is for, with its sealed credential: as long as something of it may be live there, it
    # is called nowhere else.
    called_url: str | None = None
    called_credential: str | None = field(default=None, repr=False)

    @property
    def lease_id(self) -> LeaseId:
        """Name the lease that this is held under."""
        return self.order.organization_id, self.order.promotion_id, self.epoch
