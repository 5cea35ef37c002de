"""Lets go of evidence that nothing can need any more, page by page along primary keys.

Kept whatever its age: what is known of a live deployment, of the one before it, and of one whose promotion is under
way, and the last evaluation of every request.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SOME = (
    "(SELECT DISTINCT organization_id, deployment_id FROM {table} "
    "WHERE (organization_id, deployment_id) > (:organization, :deployment) ORDER BY 1, 2 LIMIT :limit)"
)
_PAGE_OF_DEPLOYMENTS = text(
    f"{_SOME.format(table='rules.fact')} UNION {_SOME.format(table='rules.test_run')} ORDER BY 1, 2 LIMIT :limit"
)
_NEEDED = """
    d.status = 'active' OR d.changed_at >= :before OR EXISTS (
        SELECT FROM inventory.published_deployment AS live WHERE live.organization_id = d.organization_id
            AND live.agent_id = d.agent_id AND live.gateway_id = d.gateway_id AND live.status = 'active')
        AND NOT EXISTS (SELECT FROM inventory.published_deployment AS later
            WHERE later.organization_id = d.organization_id AND later.agent_id = d.agent_id
                AND later.gateway_id = d.gateway_id AND later.status = 'retired' AND later.deployed_at > d.deployed_at)
"""
_OF_GONE = "organization_id = gone.organization_id AND {table}.deployment_id = gone.deployment_id"
_FORGET_DEPLOYMENTS = text(f"""
    WITH gone AS MATERIALIZED (
        SELECT w.organization_id, w.deployment_id
        FROM unnest(cast(:organizations AS text[]), cast(:deployments AS text[])) AS w (organization_id, deployment_id)
        WHERE NOT EXISTS (SELECT FROM inventory.published_deployment AS d WHERE d.organization_id = w.organization_id
                AND d.deployment_id = w.deployment_id AND ({_NEEDED}))
            AND NOT EXISTS (SELECT FROM promotion.published_promotion AS p WHERE p.organization_id = w.organization_id
                AND p.source_deployment_id = w.deployment_id AND p.status IN ('pending', 'approved'))
            AND NOT EXISTS (SELECT FROM rules.fact AS f WHERE f.organization_id = w.organization_id
                AND f.deployment_id = w.deployment_id AND f.observed_at >= :before)
            AND NOT EXISTS (SELECT FROM rules.test_run AS t WHERE t.organization_id = w.organization_id
                AND t.deployment_id = w.deployment_id AND t.observed_at >= :before)
            AND NOT EXISTS (SELECT FROM rules.request AS r WHERE r.organization_id = w.organization_id
                AND r.source_deployment_id = w.deployment_id AND (r.hold_until IS NOT NULL OR r.watching))
    ), facts AS (
        DELETE FROM rules.fact USING gone WHERE fact.{_OF_GONE.format(table="fact")}
    ), runs AS (
        DELETE FROM rules.test_run USING gone WHERE test_run.{_OF_GONE.format(table="test_run")}
    ), verdicts AS (
        DELETE FROM rules.verdict USING gone WHERE verdict.{_OF_GONE.format(table="verdict")}
    ), past_verdicts AS (
        DELETE FROM rules.verdict_history USING gone WHERE verdict_history.{_OF_GONE.format(table="verdict_history")}
    ), watches AS (
        DELETE FROM rules.watch USING gone WHERE watch.{_OF_GONE.format(table="watch")}
    )
    SELECT 1 FROM gone
""")  # noqa: S608 - constants

_PAGE_OF_REQUESTS = text(
    "SELECT organization_id, promotion_id FROM rules.request "
    "WHERE (organization_id, promotion_id) > (:organization, cast(:promotion AS uuid)) ORDER BY 1, 2 LIMIT :limit"
)
_FORGET_EVALUATIONS = text("""
    DELETE FROM rules.evaluation AS e
    USING unnest(cast(:organizations AS text[]), cast(:promotions AS uuid[])) AS i (organization_id, promotion_id)
    JOIN rules.request AS r USING (organization_id, promotion_id)
    JOIN promotion.published_promotion AS p USING (organization_id, promotion_id)
    WHERE e.organization_id = r.organization_id AND e.promotion_id = r.promotion_id AND e.number < r.latest_number
        AND NOT r.watching AND p.completed_at < :before
        AND NOT EXISTS (SELECT FROM rules.unconfirmed AS u WHERE u.organization_id = r.organization_id
            AND u.promotion_id = r.promotion_id)
    RETURNING 1
""")


@dataclass(frozen=True, slots=True)
class Page:
    """How far one look went: the last key, None where the end was reached, and how many rows were let go."""

    reached: tuple[str, str] | None
    forgotten: int


async def forget_deployments(
    connection: AsyncConnection, after: tuple[str, str], *, before: datetime, limit: int
) -> Page:
    """Let go of what is known of the next deployments that were gone ``before``."""
    parameters = {"organization": after[0], "deployment": after[1], "limit": limit}
    rows = (await connection.execute(_PAGE_OF_DEPLOYMENTS, parameters)).all()
    forgotten = await connection.execute(
        _FORGET_DEPLOYMENTS,
        {
            "organizations": [row.organization_id for row in rows],
            "deployments": [row.deployment_id for row in rows],
            "before": before,
        },
    )
    reached = (rows[-1].organization_id, rows[-1].deployment_id) if len(rows) == limit else None
    return Page(reached, len(forgotten.all()))


async def forget_evaluations(
    connection: AsyncConnection, after: tuple[str, str], *, before: datetime, limit: int
) -> Page:
    """Let go of the earlier evaluations of the next promotions that ended ``before``."""
    parameters = {"organization": after[0], "promotion": UUID(after[1] or UUID(int=0).hex), "limit": limit}
    rows = (await connection.execute(_PAGE_OF_REQUESTS, parameters)).all()
    forgotten = await connection.execute(
        _FORGET_EVALUATIONS,
        {
            "organizations": [row.organization_id for row in rows],
            "promotions": [row.promotion_id for row in rows],
            "before": before,
        },
    )
    reached = (rows[-1].organization_id, str(rows[-1].promotion_id)) if len(rows) == limit else None
    return Page(reached, len(forgotten.all()))
