"""Loads what was recorded and replays it under a rule; the replay runs beside the event loop, on bounded records."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.explanations import BacktestDeployment, BacktestResult
from schemas.vocabulary import PromotionStatus
from services.platform.database import Database
from services.platform.http.problems import invalid
from services.rules.backtest import Recording, first_promotion
from services.rules.domain.conditions import CompiledConditions
from services.rules.domain.facts import Fact, RunEvent, parse_duration
from services.rules.domain.promotion import Promotion
from services.rules.domain.rule import Rule
from services.rules.domain.surroundings import Deployment
from services.rules.domain.verdict import compiled
from services.rules.handlers.retention import HISTORY_KEPT
from services.rules.store.facts import load_all_runs, load_fact_history, load_facts
from services.rules.store.promotions import promotions_of_agents
from services.rules.store.surroundings import load_past_deployments

MOST_DEPLOYMENTS = 200
MOST_FACTS = 100_000
MOST_RUNS = 2_000

Key = tuple[str, str]


async def replay_rule(database: Database, rule: Rule, *, since: str, now: datetime) -> BacktestResult:
    """Say what ``rule`` would have promoted since then, and what became of it in fact."""
    begin = max(read_since(since, now), now - HISTORY_KEPT)
    conditions = compiled(rule)
    if conditions is None:
        raise invalid("/rule/conditions", "missing_conditions", "the rule has none", "give it conditions to replay")
    async with database.begin() as connection:
        deployments = await load_past_deployments(
            connection, rule.organization_id, rule.source_environment, since=begin, limit=MOST_DEPLOYMENTS + 1
        )
        truncated = len(deployments) > MOST_DEPLOYMENTS
        deployments = deployments[:MOST_DEPLOYMENTS]
        recordings, cut = await _recordings(connection, rule, conditions, deployments, begin)
        promotions = await promotions_of_agents(
            connection, {(each.organization_id, each.agent_id, rule.target_environment) for each in deployments}
        )

    def replay() -> list[datetime | None]:
        return [first_promotion(conditions, each, since=begin, until=now) for each in recordings]

    instants = await asyncio.to_thread(replay)
    own = [each for members in promotions.values() for each in members]
    items = [_compared(deployment, instant, own) for deployment, instant in zip(deployments, instants, strict=True)]
    return BacktestResult(
        since=begin,
        until=now,
        deployments=len(items),
        would_promote=sum(item.would_promote_at is not None for item in items),
        regretted=sum(item.regretted for item in items),
        truncated=truncated or cut,
        items=items,
    )


def read_since(text: str, now: datetime) -> datetime:
    """Read an instant, or a duration back from ``now``; raises a 422 Problem."""
    duration = parse_duration(text)
    if duration is not None:
        return now - min(duration, HISTORY_KEPT)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and timedelta(0) < now - moment:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise invalid(
        "/since", "invalid_since", f"{text!r} is no time in the past", "write 30d, 12h or 2026-03-01T00:00:00Z"
    )


async def _recordings(
    connection: AsyncConnection,
    rule: Rule,
    conditions: CompiledConditions,
    deployments: Sequence[Deployment],
    since: datetime,
) -> tuple[list[Recording], bool]:
    """Load the recordings of ``deployments``, and whether there was more than is replayed in one go."""
    targets: list[Deployment] = []
    if conditions.baselines:
        targets = await load_past_deployments(
            connection, rule.organization_id, rule.target_environment, since=since, limit=MOST_DEPLOYMENTS
        )
    keys = {(each.organization_id, each.deployment_id) for each in (*deployments, *targets)}
    if not keys:
        return [], False
    initial = await load_facts(connection, keys, at=since)
    facts = await load_fact_history(connection, keys, fields=conditions.fields, since=since, limit=MOST_FACTS)
    runs = await load_all_runs(connection, keys, limit=MOST_RUNS)
    cut = sum(map(len, facts.values())) == MOST_FACTS or sum(map(len, runs.values())) == MOST_RUNS
    running = [_recording(each, initial, facts, runs) for each in targets]
    recorded = {
        (each.organization_id, each.deployment_id): _recording(
            each, initial, facts, runs, [other for other in running if other.deployment.agent_id == each.agent_id]
        )
        for each in deployments
    }
    return [_after(each, list(recorded.values())) for each in recorded.values()], cut


def _recording(
    deployment: Deployment,
    initial: Mapping[Key, dict[str, Fact]],
    facts: Mapping[Key, Sequence[tuple[str, Fact]]],
    runs: Mapping[Key, Sequence[RunEvent]],
    targets: Sequence[Recording] = (),
) -> Recording:
    key = (deployment.organization_id, deployment.deployment_id)
    return Recording(
        deployment=deployment,
        started=deployment.active_since or deployment.deployed_at,
        ended=None if deployment.is_active else deployment.retired_at or deployment.deployed_at,
        initial=initial[key],
        facts=facts[key],
        runs=runs[key],
        targets=targets,
    )


def _after(recording: Recording, everyone: Sequence[Recording]) -> Recording:
    """Give the recording with that of what ran in its slot before."""
    own = recording.deployment
    before = [
        each
        for each in everyone
        if (each.deployment.agent_id, each.deployment.gateway_id) == (own.agent_id, own.gateway_id)
        and each.deployment.deployed_at < own.deployed_at
    ]
    previous = max(before, key=lambda each: each.deployment.deployed_at, default=None)
    return replace(recording, previous=previous)


def _compared(deployment: Deployment, would: datetime | None, promotions: Sequence[Promotion]) -> BacktestDeployment:
    own = [each for each in promotions if each.source_deployment_id == deployment.deployment_id]
    done = [each for each in own if each.status is PromotionStatus.COMPLETED and each.completed_at is not None]
    shown = min(done, key=lambda each: each.completed_at or each.created_at, default=None) or max(
        own, key=lambda each: each.created_at, default=None
    )
    promoted = shown.completed_at if shown is not None and shown in done else None
    bad = any(each.rejected_by_person or each.status is PromotionStatus.FAILED for each in own)
    return BacktestDeployment(
        deployment_id=deployment.deployment_id,
        agent_id=deployment.agent_id,
        version=deployment.version,
        would_promote_at=would,
        promoted_at=promoted,
        promotion_id=None if shown is None else shown.promotion_id,
        status=None if shown is None else shown.status,
        status_reason=None if shown is None else shown.status_reason,
        earlier_seconds=None if would is None or promoted is None else (promoted - would).total_seconds(),
        regretted=would is not None and bad,
    )
