"""API answers as the resources have them, to make pages of."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat()


def identifier(number: int) -> str:
    return str(UUID(int=number))


def vote(voter: str, decision: str = "approve", **more: object) -> dict[str, Any]:
    return {
        "voter": voter, "decision": decision, "override_conditions": False, "break_glass": False, "reason": None,
        "voted_at": at(minutes=9),
        **more,
    }  # fmt: skip


def promotion(number: int = 1, **more: object) -> dict[str, Any]:
    return {
        "id": identifier(number),
        "organization_id": "acme",
        "agent_id": "invoice-reader",
        "source_deployment_id": "dep-17",
        "target_gateway_id": "gw-production",
        "source_environment": "staging",
        "target_environment": "production",
        "deployment_version": "2.4.0",
        "digest": None,
        "origin": "user",
        "status": "pending",
        "status_reason": "awaiting_approval",
        "status_message": "waits for 2 approvals",
        "requires_approval": True,
        "required_approvers": 2,
        "votes": [],
        "rules": [{"rule_id": identifier(900), "version": 3, "name": "Into production"}],
        "execution": "automatic",
        "approved_by": None,
        "approved_at": None,
        "rejection_reason": None,
        "target_deployment_id": None,
        "created_by": "rosa",
        "created_at": at(minutes=40),
        "expires_at": at(days=-30),
        "completed_at": None,
        "version": 2,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        **more,
    }


def deployment(**more: object) -> dict[str, Any]:
    return {
        "deployment_id": "dep-17",
        "organization_id": "acme",
        "agent_id": "invoice-reader",
        "gateway_id": "gw-staging",
        "environment": "staging",
        "version": "2.4.0",
        "digest": None,
        "status": "active",
        "deployed_at": at(hours=5),
        "active_since": at(hours=5),
        "retired_at": None,
        "promotion_id": None,
        "error": None,
        **more,
    }


def board_promotion(**more: object) -> dict[str, Any]:
    return {
        "id": identifier(1), "status": "pending", "status_reason": "awaiting_approval",
        "status_message": "waits for 1 more approval", "deployment_version": "2.4.0", "required_approvers": 2,
        "approvals": 1, "created_by": "rosa", "created_at": at(minutes=40), **more,
    }  # fmt: skip


def slot(environment: str, version: str | None, **more: object) -> dict[str, Any]:
    gateway = f"gw-{environment}"
    live = version and deployment(version=version, environment=environment, gateway_id=gateway)
    return {
        "gateway_id": gateway, "environment": environment, "live": live, "requested_by": None, "under_way": None,
        "trouble": None, **more,
    }  # fmt: skip


def leaf(field: str, result: str, **more: object) -> dict[str, Any]:
    return {
        "path": "/all/0", "kind": "leaf", "result": result, "field": field, "op": "gte", "expected": 95, "actual": 98.2,
        **more,
    }  # fmt: skip


def explanation(*children: dict[str, Any], result: str = "true") -> dict[str, Any]:
    tree = {"path": "", "kind": "all", "result": result, "children": list(children)}
    evaluation = {"conditions": result, "summary": "", "rules": [{"rule_name": "Into production", "tree": tree}]}
    return {
        "summary": "", "now": evaluation, "decided": None, "ways": [], "rules_changed": [], "execution": None,
    }  # fmt: skip


def entry(**more: object) -> dict[str, Any]:
    return {
        "version": 1, "previous_status": None, "status": "pending", "status_reason": "evaluating",
        "status_message": "its rules are being evaluated", "actor": "rosa", "via": None, "at": at(minutes=40),
        "evidence": {}, **more,
    }  # fmt: skip
