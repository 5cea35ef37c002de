"""Rules over HTTP: list, read, create, replace, delete."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Path, Query, Response

from schemas.resources import Page, PromotionRule, RuleWrite
from schemas.text import EnvironmentName
from schemas.vocabulary import Role, RuleStatus
from services.platform.clock import Clock
from services.platform.database import Database
from services.platform.http.authentication import require_in, requires
from services.platform.http.cursors import read_cursor, write_cursor
from services.platform.http.etags import IfMatch, accepted_versions, etag
from services.platform.http.problems import documented, invalid, not_found
from services.platform.identity import Principal
from services.rules.domain.rule import Rule
from services.rules.handlers.rules import create_rule, delete_rule, replace_rule
from services.rules.store.rules import list_rules, load_rule

Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
RuleAdmin = Annotated[Principal, Depends(requires(Role.RULE_ADMIN, somewhere=True))]
RuleId = Annotated[UUID, Path()]
Limit = Annotated[int, Query(ge=1, le=200, description="How many to list at most.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


def add_rule_routes(routes: APIRouter, database: Database, clock: Clock) -> None:
    """Add the routes of rules to ``routes``."""
    _add_reads(routes, database)
    _add_writes(routes, database, clock)


def _add_reads(routes: APIRouter, database: Database) -> None:
    @routes.get("/promotions/rules", tags=["rules"])
    async def list_promotion_rules(
        viewer: Viewer,
        source_environment: Annotated[EnvironmentName | None, Query()] = None,
        target_environment: Annotated[EnvironmentName | None, Query()] = None,
        status: Annotated[RuleStatus | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[PromotionRule]:
        """List the rules, newest first."""
        async with database.begin() as connection:
            found = await list_rules(
                connection,
                viewer.organization_id,
                source=source_environment,
                target=target_environment,
                status=status,
                before=None if cursor is None else _position(cursor),
                limit=limit + 1,
            )
        shown = found[:limit]
        following = write_cursor(shown[-1].created_at, str(shown[-1].id)) if len(found) > limit else None
        return Page(items=[resource(rule) for rule in shown], next_cursor=following)

    @routes.get("/promotions/rules/{rule_id}", tags=["rules"], responses=documented(404))
    async def get_promotion_rule(viewer: Viewer, rule_id: RuleId, response: Response) -> PromotionRule:
        """Give one rule; its version is the ETag."""
        async with database.begin() as connection:
            rule = await load_rule(connection, viewer.organization_id, rule_id)
        if rule is None:
            raise not_found("rule", rule_id)
        response.headers["ETag"] = etag(rule.version)
        return resource(rule)


def _add_writes(routes: APIRouter, database: Database, clock: Clock) -> None:
    @routes.post("/promotions/rules", tags=["rules"], status_code=201, responses=documented(422))
    async def create_promotion_rule(admin: RuleAdmin, written: RuleWrite, response: Response) -> PromotionRule:
        """Create a rule; it applies to promotions that are created from now on."""
        require_in(admin, written.target_environment, Role.RULE_ADMIN)
        async with database.begin() as connection:
            rule = await create_rule(
                connection,
                written,
                organization_id=admin.organization_id,
                rule_id=uuid4(),
                by=admin.subject,
                now=clock(),
            )
        response.headers["ETag"] = etag(rule.version)
        response.headers["Location"] = f"/api/v1/promotions/rules/{rule.id}"
        return resource(rule)

    @routes.put("/promotions/rules/{rule_id}", tags=["rules"], responses=documented(404, 412, 422))
    async def replace_promotion_rule(
        admin: RuleAdmin, rule_id: RuleId, written: RuleWrite, response: Response, if_match: IfMatch = None
    ) -> PromotionRule:
        """Replace a rule; promotions under way keep the version that was in force when they were created."""
        require_in(admin, written.target_environment, Role.RULE_ADMIN)
        async with database.begin() as connection:
            rule = await replace_rule(
                connection,
                written,
                organization_id=admin.organization_id,
                rule_id=rule_id,
                expected=accepted_versions(if_match),
                allow=_allow(admin),
                by=admin.subject,
                now=clock(),
            )
        response.headers["ETag"] = etag(rule.version)
        return resource(rule)

    @routes.delete("/promotions/rules/{rule_id}", tags=["rules"], status_code=204, responses=documented(404, 412))
    async def delete_promotion_rule(admin: RuleAdmin, rule_id: RuleId, if_match: IfMatch = None) -> None:
        """Delete a rule; its history stays, and promotions under way keep it."""
        async with database.begin() as connection:
            await delete_rule(
                connection,
                organization_id=admin.organization_id,
                rule_id=rule_id,
                expected=accepted_versions(if_match),
                allow=_allow(admin),
                by=admin.subject,
                now=clock(),
            )


def _allow(admin: Principal) -> Callable[[str], None]:
    return lambda environment: require_in(admin, environment, Role.RULE_ADMIN)


def resource(rule: Rule) -> PromotionRule:
    """Show a rule."""
    return PromotionRule(
        id=rule.id,
        organization_id=rule.organization_id,
        name=rule.name,
        source_environment=rule.source_environment,
        target_environment=rule.target_environment,
        requires_approval=rule.requires_approval,
        auto_promote=rule.auto_promote,
        required_approvers=rule.required_approvers,
        conditions=None if rule.conditions is None else dict(rule.conditions),
        status=rule.status,
        execution=rule.execution,
        expires_after_seconds=rule.expires_after_seconds,
        target_gateway_id=rule.target_gateway_id,
        version=rule.version,
        created_at=rule.created_at,
        created_by=rule.created_by,
        updated_at=rule.valid_from,
        updated_by=rule.changed_by,
    )


def _position(cursor: str) -> tuple[datetime, UUID]:
    created_at, identifier = read_cursor(cursor, datetime, str)
    try:
        return created_at, UUID(identifier)
    except ValueError:
        raise invalid(
            "query:/cursor", "invalid_cursor", "is not a cursor of this list", "pass next_cursor as you received it"
        ) from None
