"""Explanations over HTTP: facts, what rules make of deployments and promotions, and rules tried without effect."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.explanations import (
    BacktestResult,
    DeploymentExplanation,
    DeploymentFacts,
    PromotionExplanation,
    RuleBacktest,
    RuleCheck,
    RuleCheckResult,
)
from schemas.resources import RuleWrite
from schemas.text import Identifier
from schemas.vocabulary import Role
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import requires
from services.platform.http.problems import documented, invalid, not_found
from services.platform.identity import Principal
from services.rules.domain.rule import Rule
from services.rules.handlers.explain import (
    deployment_facts,
    explain_deployment,
    look_around,
    show_standing,
    stand_in,
)
from services.rules.handlers.explain_promotion import explain_promotion
from services.rules.handlers.replay import replay_rule
from services.rules.handlers.rules import check_rule, rule_of
from services.rules.store.rule_books import RuleBooks
from services.rules.store.rules import load_rule

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
DeploymentId = Annotated[Identifier, Path()]
EARLIEST_YEAR = 2000
At = Annotated[AwareDatetime | None, Query(description="An instant in the past (RFC 3339), instead of now.")]


def add_explanation_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    """Add the routes that explain to ``routes``."""
    _add_deployments(routes, database, clock)
    _add_promotions(routes, database, clock)
    _add_trials(routes, database, clock)


def _add_deployments(routes: APIRouter, database: Database, clock: Clock) -> None:
    books = RuleBooks()

    @routes.get("/deployments/{deployment_id}/facts", tags=["deployments"], responses=documented(404))
    async def get_deployment_facts(viewer: Viewer, deployment_id: DeploymentId, at: At = None) -> DeploymentFacts:
        """Show everything known of a deployment, each fact with its event, time and age."""
        now = clock()
        async with database.begin() as connection:
            found = await deployment_facts(
                connection, viewer.organization_id, deployment_id, now=now, at=_past(at, now)
            )
        if found is None:
            raise not_found("deployment", deployment_id)
        return found

    @routes.get("/deployments/{deployment_id}/explain", tags=["deployments"], responses=documented(404))
    async def explain_one_deployment(
        viewer: Viewer, deployment_id: DeploymentId, at: At = None
    ) -> DeploymentExplanation:
        """Say whether a rule would promote this deployment now, and if not, why and when that may change."""
        now = clock()
        async with database.begin() as connection:
            found = await explain_deployment(
                connection, books, viewer.organization_id, deployment_id, now=now, at=_past(at, now)
            )
        if found is None:
            raise not_found("deployment", deployment_id)
        return found


def _add_promotions(routes: APIRouter, database: Database, clock: Clock) -> None:
    @routes.get("/promotions/{promotion_id}/explain", tags=["promotions"], responses=documented(404))
    async def explain_one_promotion(
        viewer: Viewer, promotion_id: Annotated[UUID, Path()], at: At = None
    ) -> PromotionExplanation:
        """Say why a promotion stands where it stands, on which evidence, and what would move it."""
        now = clock()
        async with database.begin() as connection:
            found = await explain_promotion(
                connection, viewer.organization_id, promotion_id, now=now, at=_past(at, now)
            )
        if found is None:
            raise not_found("promotion", promotion_id)
        return found


def _add_trials(routes: APIRouter, database: Database, clock: Clock) -> None:
    @routes.post("/promotions/rules/check", tags=["rules"], responses=documented(404, 422))
    async def check_promotion_rule(viewer: Viewer, wanted: RuleCheck) -> RuleCheckResult:
        """Evaluate a draft or a stored rule against a deployment without doing anything."""
        now = clock()
        async with database.begin() as connection:
            rule = await _rule(connection, viewer, wanted.rule, wanted.rule_id, now)
            around = await look_around(
                connection, viewer.organization_id, wanted.deployment_id, now=now, at=_past(wanted.at, now)
            )
        if around is None:
            raise not_found("deployment", wanted.deployment_id)
        hop = (around.deployment.environment, around.target_environment)
        return RuleCheckResult(
            deployment_id=wanted.deployment_id,
            evaluated_at=around.moment,
            matches=rule.hop == hop,
            standing=show_standing(stand_in(around, rule), is_draft=wanted.rule is not None),
        )

    @routes.post("/promotions/rules/backtest", tags=["rules"], responses=documented(404, 422))
    async def backtest_promotion_rule(viewer: Viewer, wanted: RuleBacktest) -> BacktestResult:
        """Replay recorded facts: what a rule would have promoted, when, and what became of it in fact."""
        now = clock()
        async with database.begin() as connection:
            rule = await _rule(connection, viewer, wanted.rule, wanted.rule_id, now)
        return await replay_rule(database, rule, since=wanted.since, now=now)


async def _rule(
    connection: AsyncConnection, viewer: Principal, draft: RuleWrite | None, rule_id: UUID | None, now: datetime
) -> Rule:
    if draft is not None:
        await check_rule(connection, draft, viewer.organization_id)
        return rule_of(draft, organization_id=viewer.organization_id, rule_id=uuid4(), by=viewer.subject, now=now)
    assert rule_id is not None
    rule = await load_rule(connection, viewer.organization_id, rule_id)
    if rule is None:
        raise not_found("rule", rule_id)
    return rule


def _past(at: datetime | None, now: datetime) -> datetime | None:
    if at is not None and at.year < EARLIEST_YEAR:
        raise invalid("query:/at", "too_early", f"{at.isoformat()} is before {EARLIEST_YEAR}", "give a later instant")
    if at is not None and at > now:
        raise invalid("query:/at", "in_the_future", f"{at.isoformat()} has not come yet", "give an instant in the past")
    return at
