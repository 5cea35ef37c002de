"""Commands about rules: list, show, history, create, update, disable, delete; and those that try them out."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from studio.cli.exits import UsageError
from studio.cli.files import read_document
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, show_one, show_rows

app = App(name="rules", help="What each hop needs.")
app.command("studio.cli.rule_trials:run_cases", name="test", help="Run files of cases; needs no API.")
app.command("studio.cli.rule_trials:backtest", name="backtest", help="Replay what was recorded under a rule.")

COLUMNS = (
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("FROM", "source_environment"),
    Column("TO", "target_environment"),
    Column("APPROVERS", lambda row: row["required_approvers"] if row["requires_approval"] else "none"),
    Column("AUTO", "auto_promote"),
    Column("CONDITIONS", lambda row: "yes" if row["conditions"] else "-"),
    Column("STATUS", "status"),
    Column("VERSION", "version"),
)
DETAILS = (
    *COLUMNS[:7],
    Column("conditions", "conditions"),
    *COLUMNS[7:],
    Column("execution", "execution"),
    Column("expires after", lambda row: f"{row['expires_after_seconds']} s"),
    Column("gateway", "target_gateway_id"),
    Column("created", lambda row: f"{row['created_at']} by {row['created_by']}"),
    Column("updated", lambda row: f"{row['updated_at']} by {row['updated_by']}"),
)
VERSIONS = (
    *COLUMNS[1:],
    Column("WRITTEN", "updated_at"),
    Column("BY", "updated_by"),
)
_WRITTEN = (
    *("name", "source_environment", "target_environment", "requires_approval", "auto_promote"),
    *("required_approvers", "conditions", "status", "execution", "expires_after_seconds", "target_gateway_id"),
)
Id = Annotated[str, Parameter(help="The rule's id.")]
RuleFile = Annotated[Path, Parameter(help="The rule, in JSON or YAML; - reads standard input.")]


@app.command(name="list")
async def list_(*, output: Output = "table", api: Api = HERE) -> None:
    """List the rules."""
    async with api.client() as client:
        rules = [rule.model_dump(mode="json") for rule in await client.list_rules()]
    show_rows(rules, COLUMNS, output)


@app.command
async def show(rule: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Show one rule."""
    async with api.client() as client:
        found = await client.get_rule(rule)
    show_one(found.model_dump(mode="json"), DETAILS, output)


@app.command
async def history(rule: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """List everything that a rule ever said, newest first; of a deleted one too."""
    async with api.client() as client:
        page = await client.raw("GET", f"/promotions/rules/{quote(rule, safe='')}/versions")
    show_rows(page["items"], VERSIONS, output, whole=page)


@app.command
async def create(file: RuleFile, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Make a rule."""
    body = _mapping(file)
    async with api.client() as client:
        made = await client.create_rule(body)
    show_one(made.model_dump(mode="json"), DETAILS, output)


@app.command
async def update(rule: Id, file: RuleFile, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Change a rule: the file's fields replace its own; refused where somebody else changed it meanwhile."""
    await _change(rule, _mapping(file), output=output, api=api)


@app.command
async def disable(rule: Id, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Switch a rule off; what is under way keeps the rules that it began with."""
    await _change(rule, {"status": "disabled"}, output=output, api=api)


@app.command
async def delete(rule: Id, /, *, api: Api = HERE) -> None:
    """Delete a rule; what it decided is kept."""
    async with api.client() as client:
        await client.delete_rule(rule)
    note(f"rule {rule} is deleted")


async def _change(rule: str, changes: dict[str, Any], *, output: Output, api: Api) -> None:
    async with api.client() as client:
        current = await client.get_rule(rule)
        fields = current.model_dump(mode="json")
        body = {name: fields[name] for name in _WRITTEN} | changes
        changed = await client.replace_rule(rule, body, version=current.version)
    show_one(changed.model_dump(mode="json"), DETAILS, output)


def _mapping(file: Path) -> dict[str, Any]:
    document = read_document(file)
    if not isinstance(document, dict):
        raise UsageError(f"{file} has to hold one rule")
    return document
