"""Creates, replaces and deletes rules: each change ends a version and keeps it, and applies to later requests only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.resources import RuleWrite
from schemas.vocabulary import DEFAULT_ENVIRONMENTS
from services.platform.http.etags import require_version
from services.platform.http.problems import Problem, field_error, not_found
from services.rules.domain.conditions import InvalidConditions, compile_for_rule
from services.rules.domain.rule import Rule
from services.rules.domain.rule_book import acts
from services.rules.store.rechecks import recheck_environment
from services.rules.store.rules import add_version, end_version, load_rule, turn_page
from services.rules.store.surroundings import load_environments, load_gateways

# Raises where the caller may not rule over the hop into an environment.
AllowIn = Callable[[str], None]
_MICROSECOND = timedelta(microseconds=1)


async def create_rule(
    connection: AsyncConnection, written: RuleWrite, *, organization_id: str, rule_id: UUID, by: str, now: datetime
) -> Rule:
    """Write the first version of a rule; raises a Problem with everything that is wrong with it."""
    await check_rule(connection, written, organization_id)
    await turn_page(connection, organization_id)
    rule = rule_of(written, organization_id=organization_id, rule_id=rule_id, by=by, now=now)
    await add_version(connection, rule)
    await _look_at_deployments(connection, rule, now)
    return rule


async def replace_rule(
    connection: AsyncConnection,
    written: RuleWrite,
    *,
    organization_id: str,
    rule_id: UUID,
    expected: frozenset[int] | None,
    allow: AllowIn,
    by: str,
    now: datetime,
) -> Rule:
    """Write the next version of a rule; one that says the same as the last is not written.

    ``expected`` are the versions that the caller accepts to replace, None for any.
    """
    await turn_page(connection, organization_id)
    current = await _current(connection, organization_id, rule_id, expected, allow)
    await check_rule(connection, written, organization_id)
    draft = rule_of(written, organization_id=organization_id, rule_id=rule_id, by=by, now=now)
    following = replace(
        draft,
        version=current.version + 1,
        created_at=current.created_at,
        created_by=current.created_by,
        # Versions follow one another whatever the clock does.
        valid_from=max(now, current.valid_from + _MICROSECOND),
    )
    if _says_the_same(following, current):
        return current
    await end_version(connection, current, at=following.valid_from, by=by)
    await add_version(connection, following)
    await _look_at_deployments(connection, following, now)
    return following


async def delete_rule(
    connection: AsyncConnection,
    *,
    organization_id: str,
    rule_id: UUID,
    expected: frozenset[int] | None,
    allow: AllowIn,
    by: str,
    now: datetime,
) -> Rule:
    """End a rule; its versions stay."""
    await turn_page(connection, organization_id)
    current = await _current(connection, organization_id, rule_id, expected, allow)
    await end_version(connection, current, at=max(now, current.valid_from + _MICROSECOND), by=by)
    return current


async def _look_at_deployments(connection: AsyncConnection, rule: Rule, now: datetime) -> None:
    """Have a rule that acts evaluated for every deployment that it is about."""
    if acts(rule):
        await recheck_environment(connection, rule.organization_id, rule.source_environment, now=now)


def rule_of(written: RuleWrite, *, organization_id: str, rule_id: UUID, by: str, now: datetime) -> Rule:
    """Give the first version of what was written."""
    return Rule(
        id=rule_id,
        organization_id=organization_id,
        version=1,
        name=written.name,
        source_environment=written.source_environment,
        target_environment=written.target_environment,
        requires_approval=written.requires_approval,
        auto_promote=written.auto_promote,
        required_approvers=written.required_approvers,
        conditions=written.conditions or None,
        status=written.status,
        execution=written.execution,
        expires_after_seconds=written.expires_after_seconds,
        target_gateway_id=written.target_gateway_id,
        created_at=now,
        created_by=by,
        valid_from=now,
        changed_by=by,
    )


async def check_rule(connection: AsyncConnection, written: RuleWrite, organization_id: str) -> None:
    """Raise a 422 Problem with every error of a rule, its conditions' included."""
    errors = [*_wrong_owner(written, organization_id), *_wrong_conditions(written)]
    environments = await load_environments(connection, [organization_id])
    errors += _wrong_hop(written, environments.get(organization_id, DEFAULT_ENVIRONMENTS))
    errors += await _wrong_gateway(connection, written, organization_id)
    if errors:
        first = errors[0]
        raise Problem(422, "invalid_request", f"{first['path']}: {first['message']}", errors=errors)


async def _current(
    connection: AsyncConnection,
    organization_id: str,
    rule_id: UUID,
    expected: frozenset[int] | None,
    allow: AllowIn,
) -> Rule:
    current = await load_rule(connection, organization_id, rule_id, for_change=True)
    if current is None:
        raise not_found("rule", rule_id)
    allow(current.target_environment)
    require_version("rule", current.version, accepted=expected)
    return current


def _says_the_same(one: Rule, other: Rule) -> bool:
    return one == replace(
        other, version=one.version, valid_from=one.valid_from, valid_to=one.valid_to, changed_by=one.changed_by
    )


def _wrong_owner(written: RuleWrite, organization_id: str) -> list[dict[str, str]]:
    if written.organization_id in (None, organization_id):
        return []
    return [
        field_error(
            "/organization_id",
            "wrong_organization",
            f"is {written.organization_id!r}, and the credential belongs to {organization_id!r}",
            "leave the field out or use a credential of that organization",
        )
    ]


def _wrong_conditions(written: RuleWrite) -> list[dict[str, str]]:
    try:
        compile_for_rule(written.conditions, auto_promote=written.auto_promote)
    except InvalidConditions as invalid:
        return [error.under("/conditions").to_json() for error in invalid.errors]
    return []


def _wrong_hop(written: RuleWrite, order: tuple[str, ...]) -> list[dict[str, str]]:
    source, target = written.source_environment, written.target_environment
    errors = [
        field_error(f"/{name}", "unknown_environment", f"is {value!r}", f"use one of {', '.join(order)}")
        for name, value in (("source_environment", source), ("target_environment", target))
        if value not in order
    ]
    if not errors and order.index(target) != order.index(source) + 1:
        errors.append(
            field_error(
                "/target_environment",
                "not_a_hop",
                f"{target!r} does not follow {source!r}, so the rule would never apply",
                f"deployments move {' → '.join(order)}, one step at a time",
            )
        )
    return errors


async def _wrong_gateway(connection: AsyncConnection, written: RuleWrite, organization_id: str) -> list[dict[str, str]]:
    if written.target_gateway_id is None:
        return []
    known = {
        each.gateway_id: each for each in (await load_gateways(connection, [organization_id])).get(organization_id, ())
    }
    gateway = known.get(written.target_gateway_id)
    if gateway is not None and gateway.environment == written.target_environment:
        return []
    suitable = sorted(each.gateway_id for each in known.values() if each.environment == written.target_environment)
    message = f"{written.target_gateway_id!r} is not registered"
    if gateway is not None:
        message = f"{written.target_gateway_id!r} belongs to {gateway.environment}"
    hint = f"use one of {', '.join(suitable)}" if suitable else f"register a gateway of {written.target_environment}"
    return [field_error("/target_gateway_id", "wrong_gateway", message, hint)]
