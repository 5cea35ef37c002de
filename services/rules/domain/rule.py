"""A rule as one of its versions says it, and which versions were in force when. Values only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.vocabulary import Execution, RuleStatus


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a rule; in force from ``valid_from`` until before ``valid_to``."""

    id: UUID
    organization_id: str
    version: int
    name: str
    source_environment: str
    target_environment: str
    requires_approval: bool
    auto_promote: bool
    required_approvers: int
    conditions: Mapping[str, Any] | None
    status: RuleStatus
    execution: Execution
    expires_after_seconds: int
    target_gateway_id: str | None
    created_at: datetime
    created_by: str
    valid_from: datetime
    changed_by: str
    valid_to: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Tell whether this version was the rule at that instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    @property
    def hop(self) -> tuple[str, str]:
        """Name the environments between which it rules."""
        return self.source_environment, self.target_environment


def rules_of_hop(
    rules: Iterable[Rule], *, source: str, target: str, at: datetime, status: RuleStatus = RuleStatus.ACTIVE
) -> tuple[Rule, ...]:
    """Give the rules that were in force ``at`` that instant for a hop, in a stable order."""
    found = (rule for rule in rules if rule.hop == (source, target) and rule.status is status and rule.in_force(at))
    return tuple(sorted(found, key=lambda rule: (rule.created_at, rule.id)))
