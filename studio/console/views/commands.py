"""What to say after a command: what is known to have come of it, never what is hoped."""

from collections.abc import Mapping
from typing import Any

from studio.console.views.words import approvals_missing, counted

Json = Mapping[str, Any]


def told(command: str, promotion: Json) -> str:
    """Say what the API's answer to a command shows."""
    name = f"{promotion['agent_id']} {promotion['deployment_version'] or ''}".strip()
    target = promotion["target_environment"]
    if command == "approve":
        return _approved(name, target, promotion)
    if command == "break-glass":
        return f"You broke the glass for {name} to {target}. {promotion['status_message']}"
    if command == "execute":
        return f"{name}: asked to be deployed to {target}. {promotion['status_message']}"
    if command in {"reject", "cancel"} and promotion["status"] == "rejected":
        return f"{name} will not go to {target}: {promotion['status_reason'].replace('_', ' ')}."
    return f"{name}: {promotion['status_message']}"


def _approved(name: str, target: str, promotion: Json) -> str:
    if promotion["status"] == "pending":
        missing = approvals_missing(promotion)
        rest = f"it waits for {counted(missing, 'more approval')}" if missing else promotion["status_message"]
        return f"Your approval of {name} for {target} is recorded; {rest}."
    if promotion["status"] == "approved":
        return f"{name} is approved for {target}. It is not deployed yet."
    return f"Your approval of {name} is recorded; it is {promotion['status']} now."
