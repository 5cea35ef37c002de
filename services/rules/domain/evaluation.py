"""Rules + facts + now → what becomes of a request: an evaluation to be published, or a wait for its deployment."""

from datetime import datetime

from schemas.events import Event
from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult
from services.rules.domain.decision import decide
from services.rules.domain.evaluated import Target, decided, refused
from services.rules.domain.facts import Facts
from services.rules.domain.request import Eligible, Refused, Request, Unseen, examine
from services.rules.domain.rule import Rule
from services.rules.domain.rule_book import RuleBook
from services.rules.domain.surroundings import Surroundings
from services.rules.domain.verdict import judge


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that can be promoted, with the rules that apply to it for good."""

    request: Request
    target: Target
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The numbered result of evaluating a request, and the event that tells it."""

    request: Request
    number: int
    target: Target
    rules: tuple[Rule, ...]
    conditions: ConditionsResult
    # Whether a fact or the clock may still change it.
    watching: bool
    # When to look again by the clock alone.
    next_change_at: datetime | None
    holds_until: datetime | None
    summary: str
    event: Event


def prepare(request: Request, book: RuleBook, surroundings: Surroundings) -> Ready | Refused | Unseen:
    """Find the rules of the request's hop that were in force when it was created, and what it is about."""
    deployment = surroundings.deployment(request.organization_id, request.source_deployment_id)
    applying: tuple[Rule, ...] = ()
    if deployment is not None:
        applying = book.in_force((deployment.environment, request.target_environment), request.created_at)
    answer = examine(request, applying, surroundings)
    if not isinstance(answer, Eligible):
        return answer
    target = Target(
        source_environment=answer.deployment.environment,
        gateway_id=answer.gateway_id,
        deployment_version=answer.deployment.version,
        digest=answer.deployment.digest,
    )
    return Ready(request, target, applying)


def evaluate_request(ready: Ready, *, number: int, facts: Facts, now: datetime) -> Evaluation:
    """Evaluate a request that can be promoted."""
    request, target = ready.request, ready.target
    verdicts = [judge(rule, facts, now, deployment_id=request.source_deployment_id) for rule in ready.rules]
    decision = decide((target.source_environment or "", request.target_environment), verdicts)
    return Evaluation(
        request=request,
        number=number,
        target=target,
        rules=decision.rules,
        conditions=decision.conditions,
        watching=decision.conditions is not ConditionsResult.NONE,
        next_change_at=decision.next_change_at,
        holds_until=decision.holds_until,
        summary=decision.summary,
        event=decided(request, number, target=target, decision=decision, now=now),
    )


def refuse_request(request: Request, refusal: Refused, *, number: int, now: datetime) -> Evaluation:
    """Give the evaluation of a request that cannot be promoted."""
    deployment = refusal.deployment
    target = Target(
        source_environment=None if deployment is None else deployment.environment,
        gateway_id=request.asked_gateway_id,
        deployment_version=None if deployment is None else deployment.version,
        digest=None if deployment is None else deployment.digest,
    )
    return Evaluation(
        request=request,
        number=number,
        target=target,
        rules=(),
        conditions=ConditionsResult.NONE,
        watching=False,
        next_change_at=None,
        holds_until=None,
        summary=refusal.message,
        event=refused(request, number, target=target, message=refusal.message, now=now),
    )
