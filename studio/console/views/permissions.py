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
    if not _is(principal, promotion["created_by"]) and not _may(principal, Role.ADMIN, promotion):
        return f"Only {promotion['created_by']} or an administrator may take it back."
    return None


def why_not_execute(principal: Principal, promotion: Json) -> str | None:
    """Say why this person cannot have it executed."""
    if promotion["status_reason"] != "awaiting_execute":
        return "It does not wait to be executed."
    own = _is(principal, promotion["created_by"]) and _may(principal, Role.REQUESTER, promotion)
    if not own and not _may(principal, Role.EXECUTOR, promotion):
        return _lacking(Role.EXECUTOR, promotion)
    return None


def may_break_glass(principal: Principal, promotion: Json) -> bool:
    """Tell whether this person may approve alone, and whether that would do anything."""
    open_still = promotion["status"] == "pending" or (
        promotion["status"] == "approved" and promotion["status_reason"] == "conditions_unmet"
    )
    return open_still and _may(principal, Role.ADMIN, promotion)


def why_not_promote(principal: Principal, environment: str) -> str | None:
    """Say why this person cannot ask for a promotion to ``environment``."""
    return None if principal.may(Role.REQUESTER, environment=environment) else _lacking_in(Role.REQUESTER, environment)


def why_not_change_rules(principal: Principal, environment: str | None = None) -> str | None:
    """Say why this person cannot write rules for ``environment``; without one, for any."""
    if environment is None:
        return None if principal.may_somewhere(Role.RULE_ADMIN) else "Your key does not have the role rule_admin."
    return (
        None if principal.may(Role.RULE_ADMIN, environment=environment) else _lacking_in(Role.RULE_ADMIN, environment)
    )


def _may(principal: Principal, role: Role, promotion: Json) -> bool:
    return principal.may(role, environment=promotion["target_environment"])


def _lacking(role: Role, promotion: Json) -> str:
    return _lacking_in(role, promotion["target_environment"])


def _lacking_in(role: Role, environment: str) -> str:
    return f"Your key does not have the role {role} for {environment}."


def _is(principal: Principal, subject: str) -> bool:
    return principal_key(principal.subject) == principal_key(subject)
