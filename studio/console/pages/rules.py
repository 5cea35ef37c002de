"""Rules: the list, and an editor that says what is wrong beside the line and what a rule would say of a deployment."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request, Response

from studio.console.api import segment
from studio.console.forms import Form, read_form
from studio.console.pages.routes import page_routes
from studio.console.views.explanation import tree
from studio.console.views.permissions import why_not_change_rules
from studio.console.views.rule_form import NOTHING_WRONG, Findings, RuleForm, Unwritable, body_of, filled, placed, shown
from studio.console.views.rules import listed, standing_of
from studio.console.visits import Visit, Visiting
from studio.problems import ApiError, NotFound
from studio.transport import if_match

routes = page_routes()

SHOWN = 200
DEPLOYMENTS_OFFERED = 100
REPLAYED = "30d"
# The id of no deployment: enough to have a rule looked at.
NO_DEPLOYMENT = "none"


@dataclass(frozen=True, slots=True)
class Edited:
    """The editor's state: which rule in which version, what is written, what is wrong, what it was tested on."""

    form: RuleForm
    rule_id: str = ""
    version: str = ""
    findings: Findings = NOTHING_WRONG
    deployment_id: str = ""
    # What the rule makes of that deployment, and what it would have made of those recorded.
    tested: Mapping[str, Any] | None = None
    replayed: Mapping[str, Any] | None = None


@routes.get("/rules")
async def list_all(visit: Visiting) -> Response:
    """List the rules."""
    environments, page = await asyncio.gather(
        visit.api.get("/environments"), visit.api.get("/promotions/rules", {"limit": SHOWN})
    )
    return await visit.page(
        "rules.html",
        rules=listed(page["items"], environments["names"]),
        why_not=why_not_change_rules(visit.principal),
    )


@routes.get("/rules/new")
async def begin(visit: Visiting) -> Response:
    """Begin a new rule."""
    return await _editor(visit, Edited(RuleForm()))


@routes.get("/rules/{rule_id}")
async def show(visit: Visiting, rule_id: str) -> Response:
    """Show one rule in the editor."""
    rule = await visit.api.get(f"/promotions/rules/{segment(rule_id)}")
    return await _editor(visit, Edited(shown(rule), rule["id"], str(rule["version"])), rule=rule)


@routes.post("/rules/check")
async def check(visit: Visiting, request: Request) -> Response:
    """Say what is wrong with what is written, and what it would say of a deployment; change nothing."""
    form = await read_form(request)
    edited = await _checked(visit, form)
    return await _editor(visit, edited, status=422 if edited.findings else 200)


@routes.post("/rules/replay")
async def replay(visit: Visiting, request: Request) -> Response:
    """Say what is written would have promoted of what was recorded, and what became of it in fact."""
    form = await read_form(request)
    written = filled(form)
    edited = Edited(written, form.text("id"), form.text("version"))
    try:
        body = {"rule": body_of(written), "since": REPLAYED}
        replayed = await visit.api.send("POST", "/promotions/rules/backtest", body)
    except Unwritable as error:
        return await _editor(visit, replace(edited, findings=error.findings), status=422)
    except ApiError as error:
        return await _editor(visit, replace(edited, findings=placed(error.problem, written)), status=error.status)
    return await _editor(visit, replace(edited, replayed=replayed))


@routes.post("/rules/save")
async def save(visit: Visiting, request: Request) -> Response:
    """Create or replace a rule."""
    form = await read_form(request)
    written, rule_id, version = filled(form), form.text("id"), form.text("version")
    edited = Edited(written, rule_id, version)
    try:
        if rule_id:
            path = f"/promotions/rules/{segment(rule_id)}"
            rule = await visit.api.send("PUT", path, body_of(written), headers=if_match(version))
        else:
            rule = await visit.api.send("POST", "/promotions/rules", body_of(written))
    except Unwritable as error:
        return await _editor(visit, replace(edited, findings=error.findings), status=422)
    except ApiError as error:
        return await _editor(visit, replace(edited, findings=placed(error.problem, written)), status=error.status)
    return visit.go(f"/rules/{segment(rule['id'])}", f"{rule['name']} is saved as version {rule['version']}.")


@routes.post("/rules/{rule_id}/delete")
async def delete(visit: Visiting, rule_id: str) -> Response:
    """Delete a rule."""
    try:
        await visit.api.send("DELETE", f"/promotions/rules/{segment(rule_id)}")
    except ApiError as error:
        return visit.go(f"/rules/{segment(rule_id)}", str(error), "trouble")
    return visit.go("/rules", "The rule is deleted. Promotions under way keep it.")


async def _checked(visit: Visit, form: Form) -> Edited:
    written, deployment_id = filled(form), form.text("deployment_id")
    edited = Edited(written, form.text("id"), form.text("version"), deployment_id=deployment_id)
    try:
        body = {"rule": body_of(written), "deployment_id": deployment_id or NO_DEPLOYMENT}
        tested = await visit.api.send("POST", "/promotions/rules/check", body)
    except Unwritable as error:
        return replace(edited, findings=error.findings)
    except NotFound as error:
        # The rule is looked at before the deployment is looked for.
        return edited if not deployment_id else replace(edited, findings=placed(error.problem, written))
    except ApiError as error:
        return replace(edited, findings=placed(error.problem, written))
    return replace(edited, tested=tested)


async def _editor(visit: Visit, edited: Edited, *, rule: Any = None, status: int = 200) -> Response:
    environments, deployments = await asyncio.gather(
        visit.api.get("/environments"),
        visit.api.get("/deployments", {"status": "active", "limit": DEPLOYMENTS_OFFERED}),
    )
    versions: list[Any] = []
    if edited.rule_id:
        path = f"/promotions/rules/{segment(edited.rule_id)}"
        versions = (await visit.api.get(f"{path}/versions"))["items"]
        rule = rule or await visit.api.get(path)
    explanation = edited.tested and edited.tested["standing"]["explanation"]
    return await visit.page(
        "rule.html",
        status=status,
        edited=edited,
        rule=rule,
        versions=versions,
        standing=None if rule is None else standing_of(rule),
        sources=[(name, name) for name in environments["names"][:-1]],
        targets=[(name, name) for name in environments["names"][1:]],
        deployments=deployments["items"],
        nodes=[tree(explanation["tree"], visit.now)] if explanation else [],
        checked=visit.request.method == "POST",
        line_count=max(edited.form.conditions.count("\n") + 1, 8),
        why_not=why_not_change_rules(visit.principal, edited.form.target_environment or None),
    )
