"""Which buttons a person may press, and why not: a courtesy; the API decides."""

from collections.abc import Mapping
from typing import Any

from schemas.principals import principal_key
from schemas.vocabulary import Role
from services.platform.identity import Principal

Json = Mapping[str, Any]

_DECIDED = "It is decided already."


def why_not_approve(principal: Principal, promotion: Json) -> str | None:
    """Say why this person cannot approve; None where they can."""
    if promotion["status"] != "pending":
        return _DECIDED
    if promotion["status_reason"] == "evaluating":
        return "Its rules are still being evaluated."
    if not _may(principal, Role.APPROVER, promotion):
        return _lacking(Role.APPROVER, promotion)
    if _is(principal, promotion["created_by"]):
        return "You asked for it yourself; somebody else has to approve."
    if any(_is(principal, vote["voter"]) for vote in promotion["votes"]):
        return "You have voted already."
    return None


def why_not_reject(principal: Principal, promotion: Json) -> str | None:
    """Say why this person cannot reject."""
    if promotion["status"] != "pending":
        return _DECIDED
    if not _may(principal, Role.APPROVER, promotion):
        return _lacking(Role.APPROVER, promotion)
    if _is(principal, promotion["created_by"]):
        return "You asked for it yourself; you can cancel it."
    return None


def why_not_cancel(principal: Principal, promotion: Json) -> str | None:
    """Say why this person cannot take it back."""
    if promotion["status"] not in {"pending", "approved"}:
        return "It has ended."
    if promotion["status_reason"] in {"executing", "retrying"}:
        return "It is being deployed; there is no way back from here."
    if not _may(principal, Role.REQUESTER, promotion):
        return _lacking(Role.REQUESTER, promotion)
    return None


def why_not_execute(principal: Principal, promotion: Json) -> str | None:
    """Say why this person cannot have it executed."""
    if promotion["status_reason"] != "awaiting_execute":
        return "It does not wait to be executed."
    if not _may(principal, Role.EXECUTOR, promotion):
        return _lacking(Role.EXECUTOR, promotion)
    return None


def _may(principal: Principal, role: Role, promotion: Json) -> bool:
    return principal.may(role, environment=promotion["target_environment"])


def _lacking(role: Role, promotion: Json) -> str:
    return f"Your key does not have the role {role} for {promotion['target_environment']}."


def _is(principal: Principal, subject: str) -> bool:
    return principal_key(principal.subject) == principal_key(subject)
