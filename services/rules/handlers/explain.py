"""Says what is known of a deployment and what its rules make of it, now or as of a past instant. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.explanations import (
    DeploymentExplanation,
    DeploymentFacts,
    KnownFact,
    Obstacle,
    PromotionGlance,
    QueuePlace,
    RuleStanding,
)
from schemas.vocabulary import ConditionsResult, PromotionStatus, RuleStatus, StatusReason
from services.rules.domain.conditions.predicates import availability
from services.rules.domain.conditions.wording import evidence
from services.rules.domain.facts import Facts, field_of
from services.rules.domain.facts.fields import DURATION_HOURS
from services.rules.domain.knowledge import facts_of
from services.rules.domain.promotion import Promotion
from services.rules.domain.rule import Rule
from services.rules.domain.standing import Standing, stand
from services.rules.domain.surroundings import Deployment, Surroundings
from services.rules.domain.trigger import Blocked
from services.rules.handlers.knowledge import load_knowledge
from services.rules.handlers.trigger import MEASURE
from services.rules.store.auto_promotions import already_requested, queue_position
from services.rules.store.facts import load_facts, load_runs
from services.rules.store.promotions import promotions_of_agents
from services.rules.store.rule_books import RuleBooks
from services.rules.store.surroundings import load_surroundings
from services.rules.store.verdicts import verdicts_of


@dataclass(frozen=True, slots=True)
class Around:
    """One deployment with everything that its rules are evaluated on."""

    deployment: Deployment
    surroundings: Surroundings
    facts: Facts
    promotions: tuple[Promotion, ...]
    already_requested: bool
    target_environment: str | None
    moment: datetime


async def look_around(
    connection: AsyncConnection, organization_id: str, deployment_id: str, *, now: datetime, at: datetime | None
) -> Around | None:
    """Load what an explanation needs; None where inventory does not know the deployment."""
    key = (organization_id, deployment_id)
    surroundings = await load_surroundings(connection, [key])
    deployment = surroundings.deployment(*key)
    if deployment is None:
        return None
    knowledge = await load_knowledge(connection, [deployment], surroundings, with_baselines=True, at=at)
    target = surroundings.next_environment(organization_id, deployment.environment)
    promotions: Sequence[Promotion] = ()
    requested = False
    if target is not None:
        agents = await promotions_of_agents(connection, [(organization_id, deployment.agent_id, target)])
        promotions = agents.get((organization_id, deployment.agent_id, target), [])
        requested = bool(await already_requested(connection, [(*key, target)])) and at is None
    return Around(
        deployment=deployment,
        surroundings=surroundings,
        facts=knowledge[key],
        promotions=tuple(promotions if at is None else _as_of(promotions, at)),
        already_requested=requested,
        target_environment=target,
        moment=at or now,
    )


def stand_in(around: Around, rule: Rule) -> Standing:
    """Say what ``rule`` makes of the deployment."""
    return stand(
        rule,
        around.deployment,
        around.facts,
        promotions=around.promotions,
        already_requested=around.already_requested,
        surroundings=around.surroundings,
        now=around.moment,
    )


async def explain_deployment(
    connection: AsyncConnection,
    books: RuleBooks,
    organization_id: str,
    deployment_id: str,
    *,
    now: datetime,
    at: datetime | None = None,
) -> DeploymentExplanation | None:
    """Say why the deployment is promoted by itself or is not; None where it is unknown."""
    around = await look_around(connection, organization_id, deployment_id, now=now, at=at)
    if around is None:
        return None
    deployment, moment, target = around.deployment, around.moment, around.target_environment
    rules: list[Rule] = []
    if target is not None:
        book = (await books.open(connection, {organization_id: moment}))[organization_id]
        hop = (deployment.environment, target)
        rules = [
            *book.in_force(hop, moment),
            *book.in_force(hop, moment, RuleStatus.SHADOW),
        ]
    recorded = await verdicts_of(connection, organization_id, deployment_id, at=moment)
    standings = [stand_in(around, rule) for rule in rules]
    since = {rule_id: begun for rule_id, (_, _, begun) in recorded.items()}
    shown = [show_standing(each, since=since.get(each.verdict.rule.id)) for each in standings]
    place = await queue_position(connection, organization_id, deployment_id) if at is None else None
    changes = [each.next_change_at for each in shown if each.next_change_at is not None]
    return DeploymentExplanation(
        deployment_id=deployment_id,
        agent_id=deployment.agent_id,
        environment=deployment.environment,
        target_environment=target,
        evaluated_at=moment,
        would_promote=any(each.would_promote for each in standings),
        summary=_summary(around, standings, queued=place is not None),
        next_change_at=min(changes, default=None),
        rules=shown,
        promotions=[_glance(each) for each in around.promotions if _is_of(each, deployment)],
        queue=None if place is None else QueuePlace(position=place[0], queued_at=place[1], started_per_minute=MEASURE),
    )


def show_standing(standing: Standing, *, since: datetime | None = None, is_draft: bool = False) -> RuleStanding:
    """Show a rule's standing; a draft has neither id nor version."""
    verdict, rule = standing.verdict, standing.verdict.rule
    blocked = standing.way if isinstance(standing.way, Blocked) else None
    return RuleStanding(
        rule_id=None if is_draft else rule.id,
        version=None if is_draft else rule.version,
        name=rule.name,
        status=rule.status,
        auto_promote=rule.auto_promote,
        requires_approval=rule.requires_approval,
        required_approvers=rule.required_approvers,
        conditions=verdict.result,
        would_promote=standing.would_promote,
        obstacle=None if blocked is None else Obstacle(code=blocked.block, message=blocked.message),
        summary=verdict.summary,
        next_change_at=verdict.next_change_at,
        recorded_since=since,
        explanation=None if verdict.explanation is None else dict(verdict.explanation),
    )


async def deployment_facts(
    connection: AsyncConnection,
    organization_id: str,
    deployment_id: str,
    *,
    now: datetime,
    at: datetime | None = None,
) -> DeploymentFacts | None:
    """Show every fact of a deployment with its event, time and age; None where nothing is known of it at all."""
    key = (organization_id, deployment_id)
    around = await look_around(connection, organization_id, deployment_id, now=now, at=at)
    moment = at or now
    if around is not None:
        facts = around.facts
    else:
        observed = (await load_facts(connection, [key], at=at))[key]
        runs = (await load_runs(connection, [key], at=at))[key]
        if not observed and not runs:
            return None
        facts = facts_of(None, observed, runs, active_since=None)
    items = [_known_fact(path, facts, moment) for path in sorted({*facts.values, *facts.states})]
    if facts.active_since is not None:
        items.append(_duration(facts.active_since, moment))
    return DeploymentFacts(deployment_id=deployment_id, announced=around is not None, evaluated_at=moment, items=items)


def _known_fact(path: str, facts: Facts, now: datetime) -> KnownFact:
    fact, field = facts.values.get(path), field_of(path)
    max_age = None if field is None else field.max_age
    state = availability(facts.readings[path], now, max_age)
    return KnownFact(
        field=path,
        value=None if fact is None else evidence(fact.value),
        unit=None if field is None else field.unit,
        observed_at=None if fact is None else fact.observed_at,
        age_seconds=None if fact is None else int((now - fact.observed_at).total_seconds()),
        expires_at=None if fact is None or max_age is None else fact.observed_at + max_age,
        state=None if state is None else str(state),
        source=None if fact is None else fact.source,
        event_id=None if fact is None else fact.event_id,
    )


def _duration(active_since: datetime, now: datetime) -> KnownFact:
    hours = (now - active_since).total_seconds() / 3_600
    return KnownFact(
        field=DURATION_HOURS,
        value=round(hours, 6),
        unit="hours",
        observed_at=active_since,
        age_seconds=0,
        expires_at=None,
        state=None,
        source="clock",
        event_id=None,
    )


def _as_of(promotions: Sequence[Promotion], at: datetime) -> list[Promotion]:
    """Give the promotions that there were ``at`` an instant, open where they ended later."""
    known = [each for each in promotions if each.created_at <= at]
    return [_reopened(each) if each.completed_at is not None and each.completed_at > at else each for each in known]


def _reopened(promotion: Promotion) -> Promotion:
    return replace(
        promotion,
        status=PromotionStatus.PENDING,
        status_reason=StatusReason.EVALUATING,
        status_message="was under way then",
        rejected_by_person=False,
        completed_at=None,
    )


def _is_of(promotion: Promotion, deployment: Deployment) -> bool:
    return promotion.source_deployment_id == deployment.deployment_id


def _glance(promotion: Promotion) -> PromotionGlance:
    return PromotionGlance(
        promotion_id=promotion.promotion_id,
        origin=promotion.origin,
        status=promotion.status,
        status_reason=promotion.status_reason,
        status_message=promotion.status_message,
    )


def _summary(around: Around, standings: Sequence[Standing], *, queued: bool) -> str:
    target = around.target_environment
    if target is None:
        return f"{around.deployment.environment} is the last environment"
    if queued:
        return f"waits for its turn: a changed rule starts at most {MEASURE} promotions a minute"
    promoting = [each for each in standings if each.would_promote]
    if promoting:
        return f"{promoting[0].verdict.rule.name} promotes it to {target}"
    automatic = [each for each in standings if each.way is not None]
    if not automatic:
        return f"no rule promotes to {target} by itself"
    return "; ".join(f"{each.verdict.rule.name}: {_in_the_way(each)}" for each in automatic)


def _in_the_way(standing: Standing) -> str:
    if standing.verdict.result is not ConditionsResult.TRUE:
        return standing.verdict.summary
    return standing.way.message if isinstance(standing.way, Blocked) else standing.verdict.summary
