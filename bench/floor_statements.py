"""The statements of the floor: its tables are made like the services' own, without their triggers.

Each step is one statement and so one transaction, written once for a single promotion and once for many.
"""

from collections.abc import Sequence

SCHEMA = """
DROP SCHEMA IF EXISTS floor CASCADE;
CREATE SCHEMA floor;
CREATE TABLE floor.promotion (LIKE promotion.promotion INCLUDING ALL);
CREATE TABLE floor.history (LIKE promotion.history INCLUDING ALL);
CREATE TABLE floor.evaluation (LIKE rules.evaluation INCLUDING ALL);
CREATE TABLE floor.deployment (LIKE inventory.deployment INCLUDING ALL);
"""
EMPTY = "TRUNCATE floor.promotion, floor.history, floor.evaluation, floor.deployment"

_KEY = (("organization_id", "text"), ("id", "uuid"), ("month", "date"))
_PLACE = (("agent_id", "text"), ("source_deployment_id", "text"), ("target_environment", "text"))
REQUESTED = (*_KEY, *_PLACE, ("created_at", "timestamptz"))
DECIDED = (*_KEY, ("target_gateway_id", "text"), ("deployment_version", "text"), ("summary", "text"))
DEPLOYED = (*_KEY, ("target_deployment_id", "text"))

_NOW = "clock_timestamp()"
_HISTORY = (
    "INSERT INTO floor.history (promotion_month, organization_id, promotion_id, version, previous_status, status, "
    "status_reason, status_message, actor, at, evidence, chain_seq, previous_hash, hash) "
    "SELECT u.month, u.organization_id, u.id, s.version, s.previous, s.status, s.reason, s.reason, 'floor', "
    f"{_NOW}, '{{}}', 0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex') FROM u, (VALUES %s) "
    "AS s(version, previous, status, reason)"
)


def _source(columns: Sequence[tuple[str, str]], *, many: bool) -> str:
    names = ", ".join(name for name, _ in columns)
    if many:
        arrays = ", ".join(f"${place}::{kind}[]" for place, (_, kind) in enumerate(columns, 1))
        return f"unnest({arrays}) AS i({names})"
    values = ", ".join(f"${place}::{kind}" for place, (_, kind) in enumerate(columns, 1))
    return f"(VALUES ({values})) AS i({names})"


def _accept(*, many: bool) -> str:
    return (
        "WITH u AS (INSERT INTO floor.promotion (organization_id, id, agent_id, source_deployment_id, "
        "target_environment, origin, created_by, created_at, status, status_reason, status_message, version, "
        "changed_at, evaluation_number, approvals, released, expires_at) SELECT i.organization_id, i.id, i.agent_id, "
        "i.source_deployment_id, i.target_environment, 'user', 'floor', i.created_at, 'pending', 'evaluating', "
        f"'evaluating', 1, i.created_at, 0, 0, false, i.created_at + interval '30 days' "
        f"FROM {_source(REQUESTED, many=many)} ON CONFLICT DO NOTHING "
        "RETURNING organization_id, id, date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month) "
        + _HISTORY
        % "(1, NULL, 'pending', 'evaluating')"
    )


def _load(where: str) -> str:
    return (
        "SELECT p.id, r.rule_id, r.version, r.conditions, f.fields, f.values, f.moments FROM floor.promotion p "
        "JOIN rules.rule_version r ON r.organization_id = $2 AND r.source_environment = 'development' "
        "AND r.target_environment = p.target_environment AND r.valid_to IS NULL AND r.status = 'active' "
        "CROSS JOIN LATERAL (SELECT array_agg(f.field) AS fields, array_agg(f.value) AS values, "
        "array_agg(f.observed_at) AS moments FROM rules.fact f "
        f"WHERE f.organization_id = $2 AND f.deployment_id = p.source_deployment_id) f WHERE {where}"
    )


def _decide(*, many: bool) -> str:
    return (
        f"WITH i AS (SELECT * FROM {_source(DECIDED, many=many)}), u AS (UPDATE floor.promotion p SET "
        "status = 'approved', status_reason = 'executing', status_message = 'executing', version = 3, "
        f"changed_at = {_NOW}, executing_at = {_NOW}, executing_version = 3, evaluation_number = 1, "
        f"evaluated_at = {_NOW}, requires_approval = false, required_approvers = 0, conditions = 'true', "
        "execution = 'automatic', summary = i.summary, source_environment = 'development', "
        "target_gateway_id = i.target_gateway_id, deployment_version = i.deployment_version FROM i "
        "WHERE p.organization_id = i.organization_id AND p.id = i.id AND p.version = 1 "
        "RETURNING p.organization_id, p.id, i.month, i.summary), "
        "d AS (INSERT INTO floor.evaluation (organization_id, promotion_id, number, evaluated_at, conditions, "
        f"summary, headers, value) SELECT organization_id, id, 1, {_NOW}, 'true', summary, '[]', '' FROM u) "
        + _HISTORY
        % "(2, 'pending', 'approved', 'queued'), (3, 'approved', 'approved', 'executing')"
    )


def _complete(*, many: bool) -> str:
    return (
        f"WITH i AS (SELECT * FROM {_source(DEPLOYED, many=many)}), u AS (UPDATE floor.promotion p SET "
        "status = 'completed', status_reason = 'deployed', status_message = 'deployed', version = 4, "
        f"changed_at = {_NOW}, completed_at = {_NOW}, target_deployment_id = i.target_deployment_id FROM i "
        "WHERE p.organization_id = i.organization_id AND p.id = i.id AND p.version = 3 "
        "RETURNING p.organization_id, p.id, i.month, p.agent_id, p.target_gateway_id, p.target_environment, "
        "p.deployment_version, p.target_deployment_id), d AS (INSERT INTO floor.deployment (organization_id, "
        "gateway_id, deployment_id, agent_id, environment, version, status, deployed_at, succeeded_at, active_since, "
        "promotion_id, changed_at) SELECT organization_id, target_gateway_id, target_deployment_id, agent_id, "
        f"target_environment, deployment_version, 'active', {_NOW}, {_NOW}, {_NOW}, id, {_NOW} FROM u) "
        + _HISTORY
        % "(4, 'approved', 'completed', 'deployed')"
    )


ACCEPT_ONE, ACCEPT_MANY = _accept(many=False), _accept(many=True)
LOAD_ONE, LOAD_MANY = (_load(f"p.organization_id = $3 AND p.id {which}") for which in ("= $1", "= ANY($1)"))
DECIDE_ONE, DECIDE_MANY = _decide(many=False), _decide(many=True)
COMPLETE_ONE, COMPLETE_MANY = _complete(many=False), _complete(many=True)
CHECK = """SELECT
    (SELECT count(*) FROM floor.promotion WHERE status = 'completed' AND version = 4) AS completed,
    (SELECT count(*) FROM floor.evaluation WHERE number = 1) AS decided,
    (SELECT count(*) FROM floor.deployment WHERE status = 'active') AS deployed,
    (SELECT count(*) FROM (SELECT FROM floor.history GROUP BY promotion_id
        HAVING array_agg(version ORDER BY version) = '{1,2,3,4}') AS h) AS whole_histories"""
