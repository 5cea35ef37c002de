"""Why conditions are worth what they are: the whole tree with no short cut, its blockers, and when it may change.

The values come from the same closures that evaluation runs, so the two cannot disagree.
"""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from schemas.values import dataclass
from services.rules.domain.conditions import phrases
from services.rules.domain.conditions.baseline import reference_value
from services.rules.domain.conditions.blockers import Blocker, blockers
from services.rules.domain.conditions.evaluation import Value, next_change, next_leaf_change, value_of
from services.rules.domain.conditions.predicates import MICROSECONDS_PER_HOUR
from services.rules.domain.conditions.summary import summarise
from services.rules.domain.conditions.tree import CompiledConditions, Leaf, Node, Not, Outcome, Reference
from services.rules.domain.conditions.wording import evidence
from services.rules.domain.facts import Facts, Reason

Json = dict[str, object]
_MICROSECOND = timedelta(microseconds=1)
_SHOWN_HOURS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Explanation:
    """The evidence of one evaluation. ``tree`` and ``blockers`` are JSON already; treat them as read-only."""

    result: Value
    evaluated_at: datetime
    next_change_at: datetime | None
    summary: str
    blockers: list[Blocker]
    tree: Json

    def to_json(
        self,
        *,
        rule_id: str | None = None,
        rule_version: int | None = None,
        deployment_id: str | None = None,
    ) -> Json:
        """Give the explanation as it is stored and answered, with what it is about."""
        return {
            "result": str(self.result),
            "evaluated_at": _written(self.evaluated_at),
            "rule_id": rule_id,
            "rule_version": rule_version,
            "deployment_id": deployment_id,
            "next_change_at": None if self.next_change_at is None else _written(self.next_change_at),
            "summary": self.summary,
            "blockers": self.blockers,
            "tree": self.tree,
        }


def explain(compiled: CompiledConditions, facts: Facts, now: datetime) -> Explanation:
    """Evaluate every node and say why; ``now`` is aware. Never raises, whatever the facts hold."""
    telling = _Telling(facts, now)
    tree = telling.of_node(compiled.root)
    outcome = telling.outcomes[compiled.root.path]
    found = blockers(compiled.root, telling.outcomes)
    return Explanation(
        result=value_of(outcome),
        evaluated_at=now,
        next_change_at=next_change(compiled, facts, now),
        summary=summarise(value_of(outcome), found, telling.say_of),
        blockers=found,
        tree=tree,
    )


class _Telling:
    """One walk of the tree: what each node is worth, and what each leaf has to say if it is in the way."""

    def __init__(self, facts: Facts, now: datetime) -> None:
        self._facts = facts
        self._now = now
        self.outcomes: dict[str, Outcome] = {}
        self._leaves: dict[str, tuple[Leaf, Json]] = {}

    def of_node(self, node: Node) -> Json:
        outcome = node.test(self._facts, self._now)
        self.outcomes[node.path] = outcome
        if isinstance(node, Leaf):
            return self._of_leaf(node, outcome)
        children = (node.child,) if isinstance(node, Not) else node.children
        told: Json = {
            "path": node.path,
            "kind": "not" if isinstance(node, Not) else node.kind,
            "result": str(value_of(outcome)),
            "children": [self.of_node(child) for child in children],
        }
        if node.description is not None:
            told["description"] = node.description
        return told

    def _of_leaf(self, leaf: Leaf, outcome: Outcome) -> Json:
        told: Json = {
            "path": leaf.path,
            "kind": "leaf",
            "result": str(value_of(outcome)),
            "field": leaf.field.path,
            "op": leaf.op,
            "expected": evidence(self._expected(leaf)),
            "actual": self._actual(leaf),
        }
        self._leaves[leaf.path] = leaf, told
        if leaf.description is not None:
            told["description"] = leaf.description
        if isinstance(leaf.expected, Reference):
            told["reference"] = self._reference(leaf, leaf.expected)
        self._say(leaf, outcome, told)
        if not leaf.field.is_clock:
            self._date(leaf, told)
        change = next_leaf_change(leaf, self._facts, self._now)
        if change is not None:
            told["next_change_at"] = _written(change)
        return told

    def _say(self, leaf: Leaf, outcome: Outcome, told: Json) -> None:
        if isinstance(outcome, Reason):
            told["reason"] = str(outcome)
            told["message"] = phrases.unknown(leaf, outcome, self._facts, self._now)
        elif outcome is False:
            told["message"] = phrases.unmet(leaf, told["actual"], self._expected(leaf))

    def say_of(self, path: str) -> str:
        """Say what the leaf at ``path``, which is in the way, has to do with it."""
        leaf, told = self._leaves[path]
        if "reason" in told:
            return f"{told['message']} for {leaf.field.path}"
        message = told.get("message") or phrases.forbidden(leaf, told["actual"], self._expected(leaf))
        return f"{leaf.field.path} {message}"

    def _actual(self, leaf: Leaf) -> object:
        if leaf.field.is_clock:
            return self._hours()
        reading = self._facts.readings[leaf.field.path]
        if isinstance(reading.value, Decimal | str | bool):
            return evidence(reading.value)
        fact = self._facts.values.get(leaf.field.path)
        return None if fact is None else evidence(fact.value)

    def _hours(self) -> object:
        if self._facts.active_since is None:
            return None
        elapsed = Decimal((self._now - self._facts.active_since) // _MICROSECOND)
        # Downwards, so that a soak time is never shown as reached before it is.
        return evidence((elapsed / MICROSECONDS_PER_HOUR).quantize(_SHOWN_HOURS, ROUND_FLOOR))

    def _expected(self, leaf: Leaf) -> object:
        if not isinstance(leaf.expected, Reference):
            return leaf.expected
        found = reference_value(leaf.expected, leaf.field.path, self._facts, self._now)
        return found[1] if isinstance(found, tuple) else None

    def _reference(self, leaf: Leaf, reference: Reference) -> Json:
        baseline = self._facts.baselines.get(reference.baseline)
        fact = None if baseline is None else baseline.values.get(leaf.field.path)
        return {
            "baseline": reference.baseline,
            **{key: evidence(amount) for key, amount in reference.stated},
            "on_missing": "pass" if reference.passes_without_baseline else "unknown",
            "value": None if fact is None else evidence(fact.value),
        }

    def _date(self, leaf: Leaf, told: Json) -> None:
        fact = self._facts.values.get(leaf.field.path)
        if fact is None:
            return
        told["observed_at"] = _written(fact.observed_at)
        told["age_seconds"] = int((self._now - fact.observed_at).total_seconds())
        if leaf.max_age is not None:
            expires_at = _later(fact.observed_at, leaf.max_age)
            told["expires_at"] = None if expires_at is None else _written(expires_at)
        told["event"] = {"source": fact.source, "id": fact.event_id}


def _later(instant: datetime, by: timedelta) -> datetime | None:
    try:
        return instant + by
    except OverflowError:
        return None


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
