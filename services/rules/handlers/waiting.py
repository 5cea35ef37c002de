"""Looks again at requests that wait: for their deployment to be announced, or for their conditions to change."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult
from services.rules.domain.decision import combined
from services.rules.domain.evaluation import Evaluation, Ready, evaluate_request, prepare, refuse_request
from services.rules.domain.facts import Facts
from services.rules.domain.request import Refused, Unseen, never_seen
from services.rules.domain.rule import Rule
from services.rules.domain.rule_book import Books
from services.rules.domain.surroundings import DeploymentKey, Surroundings
from services.rules.domain.verdict import compiled, next_change_of, result_of
from services.rules.store.promotions import promotions_by_id
from services.rules.store.requests import KeptRequest, stop_watching
from services.rules.store.rules import rule_versions

# A deployment that conditions compare with may change without anything being told of it here.
COMPARE_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(slots=True)
class Seen:
    """What a look at waiting requests found."""

    evaluations: list[Evaluation] = field(default_factory=list)
    still_held: set[DeploymentKey] = field(default_factory=set)
    # When the clock alone is a reason to look again.
    next_changes: dict[DeploymentKey, datetime] = field(default_factory=dict)

    def look_again(self, key: DeploymentKey, instant: datetime | None) -> None:
        """Remember to look again at that instant, if not before."""
        if instant is not None:
            self.next_changes[key] = min(instant, self.next_changes.get(key, instant))


@dataclass(frozen=True, slots=True)
class Watched:
    """A request whose conditions may change, with the rules of its snapshot."""

    kept: KeptRequest
    rules: tuple[Rule, ...]

    @property
    def compares(self) -> bool:
        """Tell whether any of its conditions refers to another deployment."""
        conditions = [compiled(rule) for rule in self.rules]
        return any(each is not None and each.baselines for each in conditions)


async def still_watched(connection: AsyncConnection, waiting: Sequence[KeptRequest]) -> list[Watched]:
    """Give the watched requests that an evaluation can still move, with their rules; let go of the others."""
    watched = [each for each in waiting if each.hold_until is None]
    promotions = await promotions_by_id(connection, [each.request.key for each in watched])
    settled = {key for key, promotion in promotions.items() if promotion.is_settled}
    await stop_watching(connection, settled)
    open_ = [each for each in watched if each.request.key not in settled]
    versions = await rule_versions(
        connection, [(each.request.organization_id, *reference) for each in open_ for reference in each.snapshot]
    )
    return [
        Watched(each, tuple(versions[each.request.organization_id, *reference] for reference in each.snapshot))
        for each in open_
    ]


def release(
    held: Sequence[KeptRequest],
    books: Books,
    surroundings: Surroundings,
    knowledge: Mapping[DeploymentKey, Facts],
    *,
    hold_seconds: float,
    now: datetime,
) -> Seen:
    """Evaluate the held requests whose deployment is known by now, and refuse those that waited too long."""
    seen = Seen()
    for each in held:
        request, number = each.request, each.latest_number + 1
        key = (request.organization_id, request.source_deployment_id)
        match prepare(request, books[request.organization_id], surroundings):
            case Ready() as ready:
                evaluation = evaluate_request(ready, number=number, facts=knowledge.get(key, Facts()), now=now)
                seen.evaluations.append(evaluation)
                seen.look_again(key, evaluation.next_change_at)
            case Refused() as refusal:
                seen.evaluations.append(refuse_request(request, refusal, number=number, now=now))
            case Unseen() if each.hold_until is not None and each.hold_until <= now:
                refusal = never_seen(request, hold_seconds)
                seen.evaluations.append(refuse_request(request, refusal, number=number, now=now))
            case Unseen():
                seen.still_held.add(key)
    return seen


def reevaluate(watched: Sequence[Watched], knowledge: Mapping[DeploymentKey, Facts], *, now: datetime) -> Seen:
    """Evaluate watched requests anew; a number is given only to what differs from the last evaluation."""
    seen = Seen()
    for each in watched:
        kept = each.kept
        key = (kept.request.organization_id, kept.request.source_deployment_id)
        facts = knowledge.get(key, Facts())
        changes = [next_change_of(rule, facts, now) for rule in each.rules]
        next_change = min((change for change in changes if change is not None), default=None)
        seen.look_again(key, next_change)
        if each.compares:
            seen.look_again(key, now + COMPARE_AGAIN_AFTER)
        if _differs(kept, combined([result_of(rule, facts, now) for rule in each.rules]), next_change, now):
            ready = Ready(kept.request, kept.target, each.rules)
            seen.evaluations.append(evaluate_request(ready, number=kept.latest_number + 1, facts=facts, now=now))
        else:
            # Newer facts may hold longer, but what was promised ends when it was said to end.
            seen.look_again(key, kept.holds_until)
    return seen


def _differs(kept: KeptRequest, result: ConditionsResult, next_change: datetime | None, now: datetime) -> bool:
    """Tell whether the promotion service has to know: another result, or a promise that ended or ends earlier."""
    if result is not kept.conditions:
        return True
    if result is not ConditionsResult.TRUE:
        return False
    ended = kept.holds_until is not None and kept.holds_until <= now
    earlier = next_change is not None and (kept.holds_until is None or next_change < kept.holds_until)
    return ended or earlier
