"""Requests and their numbered evaluations: kept before they are published, repeated byte by byte afterwards."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.cloudevents import EncodedRecord, encode
from schemas.values import dataclass
from schemas.vocabulary import ConditionsResult, Origin
from services.platform.messaging.outbox import dump_headers, load_headers
from services.rules.domain.evaluated import Target
from services.rules.domain.evaluation import Evaluation
from services.rules.domain.request import Request

Key = tuple[str, UUID]


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request as it is kept; ``snapshot`` names the rule versions that apply to it."""

    request: Request
    latest_number: int
    hold_until: datetime | None
    watching: bool
    target: Target
    snapshot: tuple[tuple[UUID, int], ...]
    # What the latest evaluation said.
    conditions: ConditionsResult | None
    holds_until: datetime | None


_KEYS = "unnest(cast(:organizations AS text[]), cast(:ids AS uuid[])) AS i(organization_id, promotion_id)"
_LATEST = text(
    "SELECT r.organization_id, r.promotion_id, r.latest_number, e.headers, e.value "  # noqa: S608
    f"FROM {_KEYS} JOIN rules.request r USING (organization_id, promotion_id) "
    "LEFT JOIN rules.evaluation e ON e.organization_id = r.organization_id AND e.promotion_id = r.promotion_id "
    "AND e.number = r.latest_number"
)
_REQUEST_COLUMNS = (
    "organization_id, promotion_id, agent_id, source_deployment_id, asked_gateway_id, target_environment, "
    "created_by, created_at, origin, rule_id, rule_version, caused_by, traceparent, latest_number, hold_until, "
    "watching, source_environment, target_gateway_id, deployment_version, digest, snapshot"
)
_INSERT = text(
    f"INSERT INTO rules.request ({_REQUEST_COLUMNS}, received_at) "  # noqa: S608
    "SELECT i.*, cast(:now AS timestamptz) FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:agents AS text[]), cast(:sources AS text[]), "
    "cast(:asked AS text[]), cast(:environments AS text[]), cast(:creators AS text[]), "
    "cast(:created AS timestamptz[]), cast(:origins AS text[]), cast(:rule_ids AS uuid[]), "
    "cast(:rule_versions AS int[]), cast(:causes AS text[]), cast(:traces AS text[]), cast(:numbers AS int[]), "
    "cast(:holds AS timestamptz[]), cast(:watching AS boolean[]), cast(:source_environments AS text[]), "
    "cast(:gateways AS text[]), cast(:versions AS text[]), cast(:digests AS text[]), cast(:snapshots AS text[])"
    ") AS i ON CONFLICT DO NOTHING RETURNING organization_id, promotion_id"
)
_ADVANCE = text(
    "UPDATE rules.request r SET latest_number = i.number, hold_until = NULL, watching = i.watching, "
    "source_environment = i.source_environment, target_gateway_id = i.gateway_id, "
    "deployment_version = i.version, digest = i.digest, snapshot = i.snapshot "
    "FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), cast(:numbers AS int[]), "
    "cast(:watching AS boolean[]), cast(:source_environments AS text[]), cast(:gateways AS text[]), "
    "cast(:versions AS text[]), cast(:digests AS text[]), cast(:snapshots AS text[])) "
    "AS i(organization_id, promotion_id, number, watching, source_environment, gateway_id, version, digest, snapshot) "
    "WHERE r.organization_id = i.organization_id AND r.promotion_id = i.promotion_id "
    "AND r.latest_number = i.number - 1 RETURNING r.organization_id, r.promotion_id"
)
_INSERT_EVALUATIONS = text(
    "INSERT INTO rules.evaluation (organization_id, promotion_id, number, evaluated_at, conditions, summary, "
    "holds_until, headers, value) SELECT * FROM unnest(cast(:organizations AS text[]), cast(:ids AS uuid[]), "
    "cast(:numbers AS int[]), cast(:evaluated AS timestamptz[]), cast(:conditions AS text[]), "
    "cast(:summaries AS text[]), cast(:holds AS timestamptz[]), cast(:headers AS text[]), cast(:values AS bytea[]))"
)
# Each deployment is looked up by itself, however many requests wait; OFFSET 0 keeps the planner from joining.
_WAITING = text(
    f"SELECT {', '.join('r.' + name for name in _REQUEST_COLUMNS.split(', '))}, e.conditions, e.holds_until "  # noqa: S608
    "FROM unnest("
    "cast(:organizations AS text[]), cast(:ids AS text[])) AS i(organization_id, deployment_id) "
    "CROSS JOIN LATERAL (SELECT * FROM rules.request r WHERE r.organization_id = i.organization_id "
    "AND r.source_deployment_id = i.deployment_id AND (r.hold_until IS NOT NULL OR r.watching) "
    "ORDER BY r.promotion_id OFFSET 0 FOR UPDATE) AS r LEFT JOIN rules.evaluation e "
    "ON e.organization_id = r.organization_id AND e.promotion_id = r.promotion_id AND e.number = r.latest_number "
    "ORDER BY r.organization_id, r.promotion_id"
)
_SETTLED = text(
    "SELECT r.organization_id, r.promotion_id FROM unnest(cast(:organizations AS text[]), cast(:ids AS text[])) "
    "AS i(organization_id, deployment_id) CROSS JOIN LATERAL (SELECT * FROM rules.request r "
    "WHERE r.organization_id = i.organization_id AND r.source_deployment_id = i.deployment_id AND r.watching OFFSET 0) "
    "AS r CROSS JOIN LATERAL (SELECT FROM promotion.published_promotion p "
    "WHERE p.organization_id = r.organization_id AND p.promotion_id = r.promotion_id "
    "AND (p.status IN ('completed', 'failed', 'rejected') OR p.status_reason IN ('executing', 'retrying')) "
    "OFFSET 0) AS p"
)
_WATCHED = text(
    "SELECT i.organization_id, i.deployment_id FROM unnest(cast(:organizations AS text[]), cast(:ids AS text[])) "
    "AS i(organization_id, deployment_id) CROSS JOIN LATERAL (SELECT FROM rules.request r "
    "WHERE r.organization_id = i.organization_id AND r.source_deployment_id = i.deployment_id "
    "AND (r.hold_until IS NOT NULL OR r.watching) LIMIT 1) AS r"
)
_UNWATCH = text(
    f"UPDATE rules.request r SET watching = false FROM {_KEYS} "  # noqa: S608
    "WHERE r.organization_id = i.organization_id AND r.promotion_id = i.promotion_id"
)
_EVALUATION_AT = text(
    "SELECT value FROM rules.evaluation WHERE organization_id = :organization_id AND promotion_id = :promotion_id "
    "AND evaluated_at <= :at ORDER BY number DESC LIMIT 1"
)
_ONE = text(
    f"SELECT {', '.join('r.' + name for name in _REQUEST_COLUMNS.split(', '))}, e.conditions, e.holds_until "  # noqa: S608
    "FROM rules.request r LEFT JOIN rules.evaluation e "
    "ON e.organization_id = r.organization_id AND e.promotion_id = r.promotion_id AND e.number = r.latest_number "
    "WHERE r.organization_id = :organization_id AND r.promotion_id = :promotion_id"
)


async def latest_records(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, EncodedRecord | None]:
    """Give the latest evaluation's record of each request that is kept; None for one that is held."""
    rows = await connection.execute(_LATEST, _key_arrays(keys))
    return {(row.organization_id, row.promotion_id): None if row.value is None else _record(row) for row in rows}


async def insert_held(
    connection: AsyncConnection, requests: Sequence[Request], *, hold_until: datetime, now: datetime
) -> None:
    """Keep requests whose deployment is unknown."""
    if requests:
        await connection.execute(
            _INSERT,
            {
                "now": now,
                **_request_arrays(requests),
                **_target_arrays([Target(None, None, None, None)] * len(requests)),
                "numbers": [0] * len(requests),
                "holds": [hold_until] * len(requests),
                "watching": [False] * len(requests),
                "snapshots": ["[]"] * len(requests),
            },
        )


async def insert_evaluated(
    connection: AsyncConnection, evaluations: Sequence[Evaluation], *, now: datetime
) -> list[EncodedRecord]:
    """Keep requests with their first evaluation; give the records of those that were not kept before."""
    if not evaluations:
        return []
    rows = await connection.execute(
        _INSERT,
        {
            "now": now,
            **_request_arrays([each.request for each in evaluations]),
            **_target_arrays([each.target for each in evaluations]),
            "numbers": [each.number for each in evaluations],
            "holds": [None] * len(evaluations),
            "watching": [each.watching for each in evaluations],
            "snapshots": [_snapshot(each) for each in evaluations],
        },
    )
    kept = {(row.organization_id, row.promotion_id) for row in rows}
    return await _insert_evaluations(connection, [each for each in evaluations if each.request.key in kept])


async def advance(connection: AsyncConnection, evaluations: Sequence[Evaluation]) -> list[EncodedRecord]:
    """Keep the next evaluation of requests; give the records of those whose number was the next one."""
    if not evaluations:
        return []
    rows = await connection.execute(
        _ADVANCE,
        {
            **_key_arrays([each.request.key for each in evaluations]),
            **_target_arrays([each.target for each in evaluations]),
            "numbers": [each.number for each in evaluations],
            "watching": [each.watching for each in evaluations],
            "snapshots": [_snapshot(each) for each in evaluations],
        },
    )
    kept = {(row.organization_id, row.promotion_id) for row in rows}
    return await _insert_evaluations(connection, [each for each in evaluations if each.request.key in kept])


async def lock_waiting(connection: AsyncConnection, deployments: Collection[tuple[str, str]]) -> list[KeptRequest]:
    """Lock and give the requests from these deployments that are held or watched."""
    ordered = sorted(deployments)
    rows = await connection.execute(
        _WAITING, {"organizations": [each[0] for each in ordered], "ids": [each[1] for each in ordered]}
    )
    return [_kept(row) for row in rows]


async def watched_deployments(
    connection: AsyncConnection, deployments: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Give those of ``deployments`` for which a request waits."""
    ordered = sorted(deployments)
    rows = await connection.execute(
        _WATCHED, {"organizations": [each[0] for each in ordered], "ids": [each[1] for each in ordered]}
    )
    return {(row.organization_id, row.deployment_id) for row in rows}


async def settled_requests(connection: AsyncConnection, deployments: Collection[tuple[str, str]]) -> list[Key]:
    """Name the watched requests from these deployments that no evaluation can move any more."""
    ordered = sorted(deployments)
    rows = await connection.execute(
        _SETTLED, {"organizations": [each[0] for each in ordered], "ids": [each[1] for each in ordered]}
    )
    return [(row.organization_id, row.promotion_id) for row in rows]


async def stop_watching(connection: AsyncConnection, keys: Collection[Key]) -> None:
    """Look at these requests no more: they have ended or execute."""
    if keys:
        await connection.execute(_UNWATCH, _key_arrays(keys))


async def load_evaluation(
    connection: AsyncConnection, organization_id: str, promotion_id: UUID, *, at: datetime
) -> bytes | None:
    """Give the body of the last evaluation that was made until ``at`` that instant."""
    values = {"organization_id": organization_id, "promotion_id": promotion_id, "at": at}
    found = await connection.scalar(_EVALUATION_AT, values)
    return None if found is None else bytes(found)


async def load_request(connection: AsyncConnection, organization_id: str, promotion_id: UUID) -> KeptRequest | None:
    """Give one request as it is kept."""
    result = await connection.execute(_ONE, {"organization_id": organization_id, "promotion_id": promotion_id})
    row = result.first()
    return None if row is None else _kept(row)


async def _insert_evaluations(connection: AsyncConnection, evaluations: Sequence[Evaluation]) -> list[EncodedRecord]:
    if not evaluations:
        return []
    records = [encode(each.event) for each in evaluations]
    await connection.execute(
        _INSERT_EVALUATIONS,
        {
            **_key_arrays([each.request.key for each in evaluations]),
            "numbers": [each.number for each in evaluations],
            "evaluated": [each.event.time for each in evaluations],
            "conditions": [str(each.conditions) for each in evaluations],
            "summaries": [each.summary for each in evaluations],
            "holds": [each.holds_until for each in evaluations],
            "headers": [dump_headers(record.headers) for record in records],
            "values": [record.value for record in records],
        },
    )
    return records


def _record(row: Any) -> EncodedRecord:
    return EncodedRecord(
        topics.RULES_EVALUATED, str(row.promotion_id).encode(), load_headers(row.headers), bytes(row.value)
    )


def _snapshot(evaluation: Evaluation) -> str:
    return json.dumps([[str(rule.id), rule.version] for rule in evaluation.rules])


def _key_arrays(keys: Collection[Key]) -> dict[str, list[Any]]:
    return {"organizations": [key[0] for key in keys], "ids": [key[1] for key in keys]}


def _request_arrays(requests: Sequence[Request]) -> Mapping[str, list[Any]]:
    return {
        **_key_arrays([each.key for each in requests]),
        "agents": [each.agent_id for each in requests],
        "sources": [each.source_deployment_id for each in requests],
        "asked": [each.asked_gateway_id for each in requests],
        "environments": [each.target_environment for each in requests],
        "creators": [each.created_by for each in requests],
        "created": [each.created_at for each in requests],
        "origins": [str(each.origin) for each in requests],
        "rule_ids": [each.rule_id for each in requests],
        "rule_versions": [each.rule_version for each in requests],
        "causes": [each.caused_by for each in requests],
        "traces": [each.traceparent for each in requests],
    }


def _target_arrays(targets: Sequence[Target]) -> Mapping[str, list[Any]]:
    return {
        "source_environments": [each.source_environment for each in targets],
        "gateways": [each.gateway_id for each in targets],
        "versions": [each.deployment_version for each in targets],
        "digests": [each.digest for each in targets],
    }


def _kept(row: Any) -> KeptRequest:
    return KeptRequest(
        request=Request(
            organization_id=row.organization_id,
            promotion_id=row.promotion_id,
            agent_id=row.agent_id,
            source_deployment_id=row.source_deployment_id,
            asked_gateway_id=row.asked_gateway_id,
            target_environment=row.target_environment,
            created_by=row.created_by,
            created_at=row.created_at,
            origin=Origin(row.origin),
            caused_by=row.caused_by,
            traceparent=row.traceparent,
            rule_id=row.rule_id,
            rule_version=row.rule_version,
        ),
        latest_number=row.latest_number,
        hold_until=row.hold_until,
        watching=row.watching,
        target=Target(row.source_environment, row.target_gateway_id, row.deployment_version, row.digest),
        snapshot=tuple((UUID(identifier), version) for identifier, version in json.loads(row.snapshot)),
        conditions=None if row.conditions is None else ConditionsResult(row.conditions),
        holds_until=row.holds_until,
    )
