"""Which deployments to look at and why: all reasons put together, what is looked at again, and who is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from schemas.values import dataclass
from services.rules.domain.rule_book import Books
from services.rules.domain.surroundings import DeploymentKey, Surroundings

LONGEST_PAUSE = timedelta(seconds=5)
# Inventory consumes the same announcement by itself. It may be down for hours, so that it is waited for, rarely in
# the end, for a week; what it never shows it has refused.
OFTEN_LOOKS = 200
RARE_PAUSE = timedelta(minutes=5)
MOST_LOOKS = OFTEN_LOOKS + 2_016


class Cause(StrEnum):
    """Why a deployment is looked at."""

    FACT = "fact"
    DEPLOYMENT = "deployment"
    RULE = "rule"
    HOLD = "hold"
    CLOCK = "clock"
    # Something changed with another deployment that rules compare this one with.
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True, slots=True)
class Recheck:
    """A deployment to look at; where it was announced, inventory has to show it first."""

    organization_id: str
    deployment_id: str
    cause: Cause
    due_at: datetime
    attempts: int = 0
    gateway_id: str | None = None
    deployed_at: datetime | None = None
    # The fields whose facts changed; None where everything has to be looked at.
    fields: frozenset[str] | None = None
    id: int | None = None

    @property
    def key(self) -> DeploymentKey:
        """Identify the deployment."""
        return self.organization_id, self.deployment_id


@dataclass(frozen=True, slots=True)
class Look:
    """All reasons to look at one deployment, put together."""

    key: DeploymentKey
    causes: frozenset[Cause]
    # None where every rule has to be looked at.
    fields: frozenset[str] | None


def put_together(due: Sequence[Recheck]) -> dict[DeploymentKey, Look]:
    """Give one look for each deployment, whatever the number of reasons."""
    causes: dict[DeploymentKey, set[Cause]] = {}
    fields: dict[DeploymentKey, frozenset[str] | None] = {}
    for each in due:
        causes.setdefault(each.key, set()).add(each.cause)
        known = fields.get(each.key, frozenset())
        fields[each.key] = None if known is None or each.fields is None else known | each.fields
    return {key: Look(key, frozenset(causes[key]), fields[key]) for key in sorted(causes)}


def neighbours(
    looks: Mapping[DeploymentKey, Look], books: Books, surroundings: Surroundings, now: datetime
) -> list[Recheck]:
    """Give looks at the deployments that rules compare with those of which something is new."""
    found: set[DeploymentKey] = set()
    for key, look in looks.items():
        deployment = surroundings.deployment(*key)
        if deployment is None or not books[key[0]].compares or not look.causes & {Cause.FACT, Cause.DEPLOYMENT}:
            continue
        for other in surroundings.of_agent.get((key[0], deployment.agent_id), ()):
            found.add((other.organization_id, other.deployment_id))
    return [Recheck(*key, Cause.NEIGHBOUR, now) for key in sorted(found - looks.keys())]


def again(
    due: Sequence[Recheck], still_held: set[DeploymentKey], surroundings: Surroundings, now: datetime
) -> list[Recheck]:
    """Give the looks that have to be repeated: inventory lags behind, or a request is still held."""
    repeats: dict[DeploymentKey, Recheck] = {}
    for each in due:
        lags = each.cause is Cause.DEPLOYMENT and not shown(each, surroundings) and each.attempts < MOST_LOOKS
        if lags or each.key in still_held:
            pause = min(timedelta(milliseconds=50) * 2 ** min(each.attempts, 10), LONGEST_PAUSE)
            if each.attempts >= OFTEN_LOOKS and each.key not in still_held:
                pause = RARE_PAUSE
            repeated = replace(each, due_at=now + pause, attempts=each.attempts + 1)
            known = repeats.get(each.key)
            if known is None or known.cause is not Cause.DEPLOYMENT:
                repeats[each.key] = repeated
    return list(repeats.values())


def shown(announced: Recheck, surroundings: Surroundings) -> bool:
    """Tell whether inventory has taken in what was announced."""
    return any(
        each.gateway_id == announced.gateway_id
        and (announced.deployed_at is None or each.deployed_at >= announced.deployed_at)
        for each in surroundings.known.get(announced.key, ())
    )


def concerns_rules(announced: Recheck, books: Books, surroundings: Surroundings) -> bool:
    """Tell whether a rule acts on what was announced or compares deployments; in a book that is not given, one may."""
    book = books.get(announced.organization_id)
    if book is None or book.compares:
        return True
    deployment = surroundings.deployment(*announced.key)
    if deployment is None or not deployment.is_active:
        return False
    target = surroundings.next_environment(announced.organization_id, deployment.environment)
    return target is not None and bool(book.acting((deployment.environment, target)))
