"""Rules and their versions: read, written, ended. A version is written once; a change ends it and adds the next."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.vocabulary import Execution, RuleStatus
from services.rules.domain.conditions import LANGUAGE_VERSION
from services.rules.domain.rule import Rule

_COLUMNS = (
    "organization_id, rule_id, version, name, source_environment, target_environment, requires_approval, "
    "auto_promote, required_approvers, conditions, status, execution, expires_after_seconds, target_gateway_id, "
    "created_at, created_by, valid_from, changed_by, valid_to"
)
_QUALIFIED = ", ".join(f"v.{name}" for name in _COLUMNS.split(", "))
_OPEN_ONE = text(
    f"SELECT {_COLUMNS} FROM rules.rule_version "  # noqa: S608
    "WHERE organization_id = :organization_id AND rule_id = :rule_id AND valid_to IS NULL"
)
_OPEN_ONE_LOCKED = text(f"{_OPEN_ONE.text} FOR UPDATE")
_OPEN_MANY = text(
    f"SELECT {_COLUMNS} FROM rules.rule_version WHERE organization_id = :organization_id "  # noqa: S608
    "AND rule_id = ANY(cast(:rule_ids AS uuid[])) AND valid_to IS NULL"
)
_LIST = text(
    f"SELECT {_COLUMNS} FROM rules.rule_version WHERE organization_id = :organization_id AND valid_to IS NULL "  # noqa: S608
    "AND (cast(:source AS text) IS NULL OR source_environment = :source) "
    "AND (cast(:target AS text) IS NULL OR target_environment = :target) "
    "AND (cast(:status AS text) IS NULL OR status = :status) "
    "AND (cast(:before_at AS timestamptz) IS NULL OR (created_at, rule_id) < (:before_at, :before_id)) "
    "ORDER BY created_at DESC, rule_id DESC LIMIT :limit"
)
_INSERT = text(
    f"INSERT INTO rules.rule_version ({_COLUMNS}, language_version) VALUES ("  # noqa: S608
    ":organization_id, :rule_id, :version, :name, :source_environment, :target_environment, :requires_approval, "
    ":auto_promote, :required_approvers, :conditions, :status, :execution, :expires_after_seconds, "
    ":target_gateway_id, :created_at, :created_by, :valid_from, :changed_by, NULL, :language_version)"
)
_END = text(
    "UPDATE rules.rule_version SET valid_to = :at, ended_by = :by "
    "WHERE organization_id = :organization_id AND rule_id = :rule_id AND valid_to IS NULL"
)
# Also the lock that puts the changes of one organization's rules one after the other.
_TURN_PAGE = text(
    "INSERT INTO rules.rule_book AS b (organization_id, revision) VALUES (:organization_id, 1) "
    "ON CONFLICT (organization_id) DO UPDATE SET revision = b.revision + 1"
)
_READ_REVISIONS = (
    "SELECT organization_id, revision FROM rules.rule_book WHERE organization_id = ANY(cast(:organizations AS text[]))"
)
_REVISIONS = text(_READ_REVISIONS)
# None of their rules changes until the transaction ends; those who are changing some are not waited for.
_HOLD_REVISIONS = text(f"{_READ_REVISIONS} ORDER BY organization_id FOR SHARE SKIP LOCKED")
_SINCE = text(
    f"SELECT {_QUALIFIED} FROM unnest("  # noqa: S608
    "cast(:organizations AS text[]), cast(:since AS timestamptz[])) AS i(organization_id, since) "
    "JOIN rules.rule_version v ON v.organization_id = i.organization_id "
    "AND (v.valid_to IS NULL OR v.valid_to > i.since)"
)
_VERSIONS = text(
    f"SELECT {_QUALIFIED} FROM unnest("  # noqa: S608
    "cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:versions AS int[])) "
    "AS i(organization_id, rule_id, version) JOIN rules.rule_version v USING (organization_id, rule_id, version)"
)


def _rule(row: Any) -> Rule:
    return Rule(
        id=row.rule_id,
        organization_id=row.organization_id,
        version=row.version,
        name=row.name,
        source_environment=row.source_environment,
        target_environment=row.target_environment,
        requires_approval=row.requires_approval,
        auto_promote=row.auto_promote,
        required_approvers=row.required_approvers,
        conditions=None if row.conditions is None else json.loads(row.conditions),
        status=RuleStatus(row.status),
        execution=Execution(row.execution),
        expires_after_seconds=row.expires_after_seconds,
        target_gateway_id=row.target_gateway_id,
        created_at=row.created_at,
        created_by=row.created_by,
        valid_from=row.valid_from,
        changed_by=row.changed_by,
        valid_to=row.valid_to,
    )


async def load_rule(
    connection: AsyncConnection, organization_id: str, rule_id: UUID, *, for_change: bool = False
) -> Rule | None:
    """Give a rule as it is now; ``for_change`` locks it."""
    statement = _OPEN_ONE_LOCKED if for_change else _OPEN_ONE
    result = await connection.execute(statement, {"organization_id": organization_id, "rule_id": rule_id})
    row = result.first()
    return None if row is None else _rule(row)


async def load_rules(connection: AsyncConnection, organization_id: str, rule_ids: Sequence[UUID]) -> list[Rule]:
    """Give those of an organization's rules as they are now."""
    rows = await connection.execute(_OPEN_MANY, {"organization_id": organization_id, "rule_ids": list(rule_ids)})
    return [_rule(row) for row in rows]


async def list_rules(
    connection: AsyncConnection,
    organization_id: str,
    *,
    source: str | None = None,
    target: str | None = None,
    status: RuleStatus | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[Rule]:
    """List an organization's rules, newest first, after the one that ``before`` names."""
    before_at, before_id = before or (None, None)
    rows = await connection.execute(
        _LIST,
        {
            "organization_id": organization_id,
            "source": source,
            "target": target,
            "status": status,
            "before_at": before_at,
            "before_id": before_id,
            "limit": limit,
        },
    )
    return [_rule(row) for row in rows]


async def turn_page(connection: AsyncConnection, organization_id: str) -> None:
    """Take the turn to change an organization's rules, and make every cached copy of them stale."""
    await connection.execute(_TURN_PAGE, {"organization_id": organization_id})


async def add_version(connection: AsyncConnection, rule: Rule) -> None:
    """Write a version; the one before has to be ended first."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": rule.organization_id,
            "rule_id": rule.id,
            "version": rule.version,
            "name": rule.name,
            "source_environment": rule.source_environment,
            "target_environment": rule.target_environment,
            "requires_approval": rule.requires_approval,
            "auto_promote": rule.auto_promote,
            "required_approvers": rule.required_approvers,
            "conditions": None if rule.conditions is None else json.dumps(rule.conditions, allow_nan=False),
            "status": rule.status,
            "execution": rule.execution,
            "expires_after_seconds": rule.expires_after_seconds,
            "target_gateway_id": rule.target_gateway_id,
            "created_at": rule.created_at,
            "created_by": rule.created_by,
            "valid_from": rule.valid_from,
            "changed_by": rule.changed_by,
            "language_version": LANGUAGE_VERSION,
        },
    )


async def end_version(connection: AsyncConnection, rule: Rule, *, at: datetime, by: str) -> None:
    """End the version that is in force."""
    await connection.execute(_END, {"organization_id": rule.organization_id, "rule_id": rule.id, "at": at, "by": by})


async def revisions(connection: AsyncConnection, organizations: Sequence[str]) -> dict[str, int]:
    """Give the revision of each organization's rules; one without rules has none."""
    rows = await connection.execute(_REVISIONS, {"organizations": list(organizations)})
    return {row.organization_id: row.revision for row in rows}


async def hold_revisions(connection: AsyncConnection, organizations: Sequence[str]) -> dict[str, int]:
    """Keep rules as they are until the transaction ends; give the revisions of those that nobody is changing."""
    rows = await connection.execute(_HOLD_REVISIONS, {"organizations": list(organizations)})
    return {row.organization_id: row.revision for row in rows}


async def rules_since(connection: AsyncConnection, since: Mapping[str, datetime]) -> dict[str, list[Rule]]:
    """Give, for each organization, every version that was in force at the instant given for it or after."""
    rows = await connection.execute(_SINCE, {"organizations": list(since), "since": list(since.values())})
    found: dict[str, list[Rule]] = {organization_id: [] for organization_id in since}
    for row in rows:
        found[row.organization_id].append(_rule(row))
    return found


async def rule_versions(
    connection: AsyncConnection, references: Sequence[tuple[str, UUID, int]]
) -> dict[tuple[str, UUID, int], Rule]:
    """Give the versions named by (organization, rule, version)."""
    if not references:
        return {}
    distinct = sorted(set(references))
    rows = await connection.execute(
        _VERSIONS,
        {
            "organizations": [each[0] for each in distinct],
            "ids": [each[1] for each in distinct],
            "versions": [each[2] for each in distinct],
        },
    )
    rules = [_rule(row) for row in rows]
    return {(rule.organization_id, rule.id, rule.version): rule for rule in rules}
