"""What one rule makes of one deployment: its conditions, and what else is in the way. The trigger's own reasoning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.vocabulary import ConditionsResult, Origin, RuleStatus
from services.rules.domain.facts import Facts
from services.rules.domain.promotion import Promotion
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment, Surroundings
from services.rules.domain.trigger import Block, Blocked, Free, way_ahead
from services.rules.domain.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule's verdict on a deployment; ``way`` is None for a rule that does not promote by itself."""

    verdict: Verdict
    way: Free | Blocked | None
    # Its own request is under way: it would promote, and does.
    is_promoting: bool

    @property
    def would_promote(self) -> bool:
        """Tell whether the rule promotes the deployment now."""
        holds = self.verdict.result is ConditionsResult.TRUE
        return holds and (isinstance(self.way, Free) or self.is_promoting)


def stand(
    rule: Rule,
    deployment: Deployment,
    facts: Facts,
    *,
    promotions: Sequence[Promotion],
    already_requested: bool,
    surroundings: Surroundings,
    now: datetime,
) -> Standing:
    """Evaluate and explain ``rule``; ``promotions`` are the agent's to the rule's target."""
    verdict = judge(rule, facts, now, deployment_id=deployment.deployment_id)
    if not rule.auto_promote or rule.status is not RuleStatus.ACTIVE:
        return Standing(verdict, None, is_promoting=False)
    way = way_ahead(
        rule,
        deployment,
        promotions=promotions,
        already_requested=already_requested,
        surroundings=surroundings,
    )
    under_way = isinstance(way, Blocked) and way.block is Block.UNDER_WAY
    asked_by_rule = any(
        each.origin is Origin.AUTO and each.source_deployment_id == deployment.deployment_id and not each.is_ended
        for each in promotions
    )
    return Standing(verdict, way, is_promoting=under_way and asked_by_rule)
