"""A rule as a form: from what the API shows to fields of text, and from fields to what the API takes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import strict_json
from studio.console.forms import Form
from studio.console.views.json_lines import line_of, lines_of

Json = Mapping[str, Any]

_SECONDS_A_DAY = 86400
_LARGEST = 1_000_000
_AT_LINE = re.compile(r"line (\d+)")
_CONDITIONS = "/conditions"


@dataclass(frozen=True, slots=True)
class RuleForm:
    """The fields as they are written, right or wrong."""

    name: str = ""
    source_environment: str = ""
    target_environment: str = ""
    requires_approval: bool = True
    required_approvers: str = "1"
    auto_promote: bool = False
    execution: str = "automatic"
    status: str = "active"
    expires_after_days: str = "30"
    target_gateway_id: str = ""
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong: by field, by line of the conditions, and what belongs to neither."""

    fields: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[int, str] = field(default_factory=dict)
    others: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is wrong."""
        return bool(self.fields or self.lines or self.others)


NOTHING_WRONG = Findings()


class Unwritable(Exception):
    """The fields do not make a rule that could be sent; ``findings`` says which and why."""

    def __init__(self, findings: Findings) -> None:
        super().__init__("the form cannot be sent")
        self.findings = findings


def shown(rule: Json) -> RuleForm:
    """Give the form of a stored rule."""
    conditions = rule["conditions"]
    days = rule["expires_after_seconds"] / _SECONDS_A_DAY
    return RuleForm(
        name=rule["name"],
        source_environment=rule["source_environment"],
        target_environment=rule["target_environment"],
        requires_approval=rule["requires_approval"],
        required_approvers=str(rule["required_approvers"]),
        auto_promote=rule["auto_promote"],
        execution=rule["execution"],
        status=rule["status"],
        expires_after_days=f"{days:g}",
        target_gateway_id=rule["target_gateway_id"] or "",
        conditions="" if conditions is None else json.dumps(conditions, indent=2, ensure_ascii=False),
    )


def filled(form: Form) -> RuleForm:
    """Give the form as somebody filled it in."""
    return RuleForm(
        name=form.text("name"),
        source_environment=form.text("source_environment"),
        target_environment=form.text("target_environment"),
        requires_approval=form.checked("requires_approval"),
        required_approvers=form.text("required_approvers"),
        auto_promote=form.checked("auto_promote"),
        execution=form.text("execution"),
        status=form.text("status"),
        expires_after_days=form.text("expires_after_days"),
        target_gateway_id=form.text("target_gateway_id"),
        conditions=form.text("conditions"),
    )


def body_of(form: RuleForm) -> dict[str, Any]:
    """Give what the API takes; raises Unwritable. What a field may hold is the API's to say."""
    wrong: dict[str, str] = {}
    approvers = _number(form.required_approvers, "required_approvers", wrong)
    days = _number(form.expires_after_days, "expires_after_days", wrong)
    conditions, lines = _conditions(form.conditions)
    if wrong or lines:
        raise Unwritable(Findings(wrong, lines))
    return {
        "name": form.name,
        "source_environment": form.source_environment,
        "target_environment": form.target_environment,
        "requires_approval": form.requires_approval,
        "required_approvers": int(approvers),
        "auto_promote": form.auto_promote,
        "execution": form.execution,
        "status": form.status,
        "expires_after_seconds": round(days * _SECONDS_A_DAY),
        "target_gateway_id": form.target_gateway_id or None,
        "conditions": conditions,
    }


def placed(problem: Json, form: RuleForm) -> Findings:
    """Put the errors of a problem document where they belong."""
    fields: dict[str, str] = {}
    lines: dict[int, list[str]] = {}
    others: list[str] = []
    where = lines_of(form.conditions)
    for item in problem.get("errors", ()):
        path = str(item["path"]).removeprefix("/rule")
        said = f"{item['message']}; {item['hint']}"
        if path.startswith(_CONDITIONS) and form.conditions:
            lines.setdefault(line_of(path.removeprefix(_CONDITIONS), where), []).append(said)
        elif path.startswith("/") and path.count("/") == 1:
            name = path.removeprefix("/").replace("expires_after_seconds", "expires_after_days")
            fields[name] = said
        else:
            others.append(f"{path}: {said}")
    if not problem.get("errors"):
        others.append(str(problem.get("detail", "the API refused the rule")))
    return Findings(fields, {line: " · ".join(said) for line, said in lines.items()}, others)


def _number(text: str, name: str, wrong: dict[str, str]) -> float:
    try:
        number = int(text) if name == "required_approvers" else float(text)
        if abs(number) <= _LARGEST:
            return number
    except ValueError:
        pass
    wrong[name] = f"{text[:40]!r} is not a number that can be meant"
    return 0


def _conditions(text: str) -> tuple[Any, dict[int, str]]:
    if not text:
        return None, {}
    try:
        return strict_json.parse(text.encode("utf-8", "surrogatepass")), {}
    except strict_json.NotJson as error:
        found = _AT_LINE.search(str(error))
        return None, {int(found[1]) if found else 1: f"this is not JSON: {error}"}
