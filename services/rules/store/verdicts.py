"""What the conditions of acting and shadow rules were worth for deployments, and when that changed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult

_ARRAYS = (
    "cast(:organizations AS text[]), cast(:ids AS text[]), cast(:rules AS uuid[]), cast(:versions AS int[]), "
    "cast(:results AS text[])"
)
# Only what differs from what is kept is written, and only what is written becomes history.
_SAVE = text(
    "WITH changed AS (INSERT INTO rules.verdict AS v (organization_id, deployment_id, rule_id, version, result, since) "  # noqa: S608
    f"SELECT i.*, cast(:now AS timestamptz) FROM unnest({_ARRAYS}) AS i "
    "ON CONFLICT (organization_id, deployment_id, rule_id) DO UPDATE SET version = excluded.version, "
    "result = excluded.result, since = excluded.since "
    "WHERE (v.version, v.result) IS DISTINCT FROM (excluded.version, excluded.result) RETURNING v.*) "
    "INSERT INTO rules.verdict_history (organization_id, deployment_id, rule_id, version, result, since) "
    "SELECT organization_id, deployment_id, rule_id, version, result, since FROM changed ON CONFLICT DO NOTHING"
)
_OF_DEPLOYMENT = text(
    "SELECT DISTINCT ON (rule_id) rule_id, version, result, since FROM rules.verdict_history "
    "WHERE organization_id = :organization_id AND deployment_id = :deployment_id AND since <= :at "
    "ORDER BY rule_id, since DESC"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a rule's conditions were worth for a deployment when it was looked at."""

    organization_id: str
    deployment_id: str
    rule_id: UUID
    version: int
    result: ConditionsResult


async def save_verdicts(connection: AsyncConnection, recorded: Sequence[Recorded], *, now: datetime) -> None:
    """Record verdicts; those that say what is known already change nothing."""
    if not recorded:
        return
    ordered = sorted(recorded, key=lambda each: (each.organization_id, each.deployment_id, each.rule_id))
    await connection.execute(
        _SAVE,
        {
            "now": now,
            "organizations": [each.organization_id for each in ordered],
            "ids": [each.deployment_id for each in ordered],
            "rules": [each.rule_id for each in ordered],
            "versions": [each.version for each in ordered],
            "results": [str(each.result) for each in ordered],
        },
    )


async def verdicts_of(
    connection: AsyncConnection, organization_id: str, deployment_id: str, *, at: datetime
) -> dict[UUID, tuple[int, ConditionsResult, datetime]]:
    """Give, by rule, the version, result and since when it was so, as recorded ``at`` that instant."""
    rows = await connection.execute(
        _OF_DEPLOYMENT, {"organization_id": organization_id, "deployment_id": deployment_id, "at": at}
    )
    return {row.rule_id: (row.version, ConditionsResult(row.result), row.since) for row in rows}
