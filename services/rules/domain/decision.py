"""What all rules of a hop together ask of a promotion: the strictest wins, and no rule means the built-in default."""

from collections.abc import Sequence
from datetime import datetime

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult, Execution
from services.rules.domain.rule import Rule
from services.rules.domain.verdict import Verdict

FREE_HOP = ("development", "staging")
DEFAULT_EXPIRES_AFTER_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Decision:
    """What a promotion needs, and what its conditions amount to now."""

    requires_approval: bool
    required_approvers: int
    execution: Execution
    expires_after_seconds: int
    conditions: ConditionsResult
    # When the clock alone may change the conditions next, whatever they are now.
    next_change_at: datetime | None
    summary: str
    verdicts: tuple[Verdict, ...]

    @property
    def holds_until(self) -> datetime | None:
        """Give the instant from which true conditions have to be looked at again."""
        return self.next_change_at if self.conditions is ConditionsResult.TRUE else None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Give the rules that apply."""
        return tuple(verdict.rule for verdict in self.verdicts)


def decide(hop: tuple[str, str], verdicts: Sequence[Verdict]) -> Decision:
    """Combine what each rule of ``hop`` says."""
    if not verdicts:
        return _built_in(hop)
    rules = [verdict.rule for verdict in verdicts]
    requires_approval = any(rule.requires_approval for rule in rules)
    conditions = combined([verdict.result for verdict in verdicts])
    changes = [verdict.next_change_at for verdict in verdicts if verdict.next_change_at is not None]
    manual = any(rule.execution is Execution.MANUAL for rule in rules)
    # Where nobody has to approve, one override is enough for conditions that do not hold.
    approvers = max(rule.required_approvers for rule in rules) if requires_approval else 1
    return Decision(
        requires_approval=requires_approval,
        required_approvers=approvers,
        execution=Execution.MANUAL if manual else Execution.AUTOMATIC,
        expires_after_seconds=min(rule.expires_after_seconds for rule in rules),
        conditions=conditions,
        next_change_at=min(changes, default=None),
        summary=_summary(requires_approval=requires_approval, approvers=approvers, verdicts=verdicts),
        verdicts=tuple(verdicts),
    )


def combined(results: Sequence[ConditionsResult]) -> ConditionsResult:
    """Give what conditions of several rules amount to: all of them have to hold."""
    for worst in (ConditionsResult.FALSE, ConditionsResult.UNKNOWN, ConditionsResult.TRUE):
        if worst in results:
            return worst
    return ConditionsResult.NONE


def _built_in(hop: tuple[str, str]) -> Decision:
    free = hop == FREE_HOP
    need = "no approval" if free else "one approval"
    return Decision(
        requires_approval=not free,
        required_approvers=1,
        execution=Execution.AUTOMATIC,
        expires_after_seconds=DEFAULT_EXPIRES_AFTER_SECONDS,
        conditions=ConditionsResult.NONE,
        next_change_at=None,
        summary=f"no rule matches {hop[0]} → {hop[1]}: the built-in default asks for {need}",
        verdicts=(),
    )


def _summary(*, requires_approval: bool, approvers: int, verdicts: Sequence[Verdict]) -> str:
    need = "no approval" if not requires_approval else f"{approvers} approval{'s' if approvers > 1 else ''}"
    unmet = [f"{verdict.rule.name}: {verdict.summary}" for verdict in verdicts if not verdict.holds]
    names = ", ".join(verdict.rule.name for verdict in verdicts)
    sentence = f"{need} needed by {names}"
    if unmet:
        return f"{sentence}; {'; '.join(unmet)}"
    conditional = any(verdict.result is ConditionsResult.TRUE for verdict in verdicts)
    return f"{sentence}; all conditions hold" if conditional else sentence
