"""All rules of one organization, indexed by hop and by the fields that they read. Immutable, compiled once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.vocabulary import RuleStatus
from services.rules.domain.rule import Rule, rules_of_hop
from services.rules.domain.verdict import compiled

Hop = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Acting:
    """A rule that is evaluated whenever something happens: it promotes by itself, or it is a shadow."""

    rule: Rule
    fields: frozenset[str]
    baselines: frozenset[str]

    @property
    def promotes(self) -> bool:
        """Tell whether it may start a promotion."""
        return self.rule.status is RuleStatus.ACTIVE


class RuleBook:
    """The rule versions of an organization that may still matter."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._by_hop: dict[Hop, list[Rule]] = {}
        self._acting: dict[Hop, tuple[Acting, ...]] = {}
        for rule in rules:
            self._by_hop.setdefault(rule.hop, []).append(rule)
        for hop, versions in self._by_hop.items():
            self._acting[hop] = tuple(
                _acting(rule)
                for rule in sorted(versions, key=lambda rule: (rule.created_at, rule.id))
                if rule.valid_to is None and acts(rule)
            )
        everyone = [each for acting in self._acting.values() for each in acting]
        compared = frozenset(field for versions in self._by_hop.values() for field in _compared(versions))
        # The fields whose facts concern a rule that acts, or one that compares a deployment with another.
        self.fields = frozenset(field for each in everyone for field in each.fields) | compared
        self.compares = bool(compared)

    def in_force(self, hop: Hop, at: datetime, status: RuleStatus = RuleStatus.ACTIVE) -> tuple[Rule, ...]:
        """Give the rules of a hop that were in force at that instant."""
        return rules_of_hop(self._by_hop.get(hop, ()), source=hop[0], target=hop[1], at=at, status=status)

    def acting(self, hop: Hop, fields: frozenset[str] | None = None) -> tuple[Acting, ...]:
        """Give the rules of a hop that act now, of those with ``fields`` the ones that read any of them."""
        acting = self._acting.get(hop, ())
        if fields is None:
            return acting
        return tuple(each for each in acting if each.fields & fields)


Books = Mapping[str, RuleBook]


def acts(rule: Rule) -> bool:
    """Tell whether a rule is evaluated whenever something happens: it promotes by itself, or it is a shadow."""
    by_itself = rule.status is RuleStatus.ACTIVE and rule.auto_promote
    return bool(rule.conditions) and (by_itself or rule.status is RuleStatus.SHADOW)


def _acting(rule: Rule) -> Acting:
    conditions = compiled(rule)
    assert conditions is not None
    return Acting(rule, conditions.fields, conditions.baselines)


def _compared(versions: Iterable[Rule]) -> frozenset[str]:
    current = (compiled(rule) for rule in versions if rule.valid_to is None and rule.status is not RuleStatus.DISABLED)
    return frozenset(field for each in current if each is not None and each.baselines for field in each.fields)
