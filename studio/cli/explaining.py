"""The command that says why something does not move, and what would move it: explain."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter

from studio.cli.options import HERE, Api, Output
from studio.cli.output import plain, show_document
from studio.problems import NotFound

Json = Mapping[str, Any]
At = Annotated[str | None, Parameter(help="An instant in the past, such as 2026-01-31T12:00:00Z, instead of now.")]


async def explain(
    thing: str,
    /,
    *,
    deployment: Annotated[bool, Parameter(negative="")] = False,
    at: At = None,
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """Say why a promotion or a deployment stands where it stands, and what would move it.

    Parameters
    ----------
    thing
        The id of a promotion, or of a deployment where there is no such promotion.
    deployment
        It is a deployment; one that a promotion created has the same id as the promotion.
    """
    identifier = quote(thing, safe="")
    async with api.client() as client:
        found = None
        if not deployment and _may_be_promotion(thing):
            try:
                found = await client.raw("GET", f"/promotions/{identifier}/explain", query={"at": at})
            except NotFound:
                found = None
        if found is None:
            found = await client.raw("GET", f"/deployments/{identifier}/explain", query={"at": at})
    if output != "table":
        show_document(found, output)
        return
    lines = promotion_lines(found) if "promotion_id" in found else deployment_lines(found)
    sys.stdout.writelines(f"{plain(line)}\n" for line in lines)


def promotion_lines(found: Json) -> Iterator[str]:
    """Say why a promotion stands where it stands."""
    if found["status"] is not None:
        yield f"{found['status']} ({found['status_reason']}): {found['status_message']}"
    yield found["summary"]
    evaluation = found["now"] or found["decided"]
    if evaluation is not None:
        yield from _evaluation(evaluation)
    votes = found["approvals"]
    if votes is not None and votes["required"]:
        yield f"Approvals: {votes['given']} of {votes['required']}, none by {votes['not_by']}"
    execution = found["execution"]
    if execution is not None:
        error = f": {execution['last_error']}" if execution["last_error"] else ""
        yield f"The gateway was called {execution['attempts']} times{error}"
        if execution["next_attempt_at"] is not None:
            yield f"The next attempt is at {execution['next_attempt_at']}, the last before {execution['deadline_at']}"
    for rule in found["rules_changed"]:
        now = "deleted" if rule["version_now"] is None else f"at version {rule['version_now']} now"
        yield f"Rule {rule['name']} applies in version {rule['version_applied']}; it is {now}"
    if found["ways"]:
        yield "What would move it:"
        yield from (f"  {_way(way)}" for way in found["ways"])


def deployment_lines(found: Json) -> Iterator[str]:
    """Say why a deployment is promoted by itself, or is not."""
    target = found["target_environment"] or "nowhere further"
    yield f"{found['agent_id']} in {found['environment']}, next: {target}"
    yield found["summary"]
    for rule in found["rules"]:
        yield f"{_SIGN[_held(rule)]} {rule['name']} ({rule['status']}): {rule['summary']}"
        if rule["obstacle"] is not None:
            yield f"  ✗ {rule['obstacle']['message']}"
        if rule["explanation"] is not None:
            yield from tree_lines(rule["explanation"]["tree"], depth=1)
    for promotion in found["promotions"]:
        yield (
            f"Promotion {promotion['promotion_id']}: {promotion['status']} ({promotion['status_reason']}): "
            f"{promotion['status_message']}"
        )
    if found["queue"] is not None:
        yield f"It is number {found['queue']['position']} of those that a changed rule starts"
    if found["next_change_at"] is not None:
        yield f"By the clock alone this may change at {found['next_change_at']}"


def tree_lines(node: Json, *, depth: int) -> Iterator[str]:
    """Draw one node of an explanation and all below it: ✓ holds, ✗ does not, ? no data."""
    from studio.console.views.explanation import tree

    yield from _check_lines(tree(node, _now()), depth)


def _check_lines(check: Any, depth: int) -> Iterator[str]:
    said = f"{check.text} – {check.note}" if check.note else check.text
    yield f"{'  ' * depth}{check.sign} {said}"
    for child in check.children:
        yield from _check_lines(child, depth + 1)


def _evaluation(evaluation: Json) -> Iterator[str]:
    rules: Sequence[Json] = [rule for rule in evaluation["rules"] if rule.get("tree")]
    if not rules:
        return
    yield f"Conditions: {evaluation['conditions']}"
    for rule in rules:
        yield from tree_lines(rule["tree"], depth=1)


def _way(way: Json) -> str:
    return f"{way['what']} ({way['who']}{', at ' + way['at'] if way['at'] else ''})"


def _held(rule: Json) -> str:
    return "true" if rule["conditions"] == "none" else str(rule["conditions"])


def _may_be_promotion(thing: str) -> bool:
    from uuid import UUID

    try:
        UUID(thing)
    except ValueError:
        return False
    return True


def _now() -> datetime:
    from services.platform.clock import utc_now

    return utc_now()


_SIGN = {"true": "✓", "false": "✗", "unknown": "?"}
