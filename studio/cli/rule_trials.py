"""Commands that try rules out: test runs files of cases here, backtest replays what was recorded there."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from studio.cli.exits import FAILED, OK, UsageError
from studio.cli.explaining import tree_lines
from studio.cli.files import read_document
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, note, plain, show_rows

if TYPE_CHECKING:
    from services.rules.case_files import FileReport

Json = Mapping[str, Any]

REPLAYED = (
    Column("DEPLOYMENT", "deployment_id"),
    Column("AGENT", "agent_id"),
    Column("VERSION", "version"),
    Column("WOULD PROMOTE", "would_promote_at"),
    Column("PROMOTED", "promoted_at"),
    Column("EARLIER BY", lambda row: None if row["earlier_seconds"] is None else f"{row['earlier_seconds']:.0f} s"),
    Column("ENDED", lambda row: None if row["status"] is None else f"{row['status']} ({row['status_reason']})"),
    Column("REGRETTED", "regretted"),
)


def run_cases(
    files: Annotated[list[Path], Parameter(negative="", help="Files of cases, in JSON or YAML.")],
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Print the report for programs.")] = False,
) -> int:
    """Run cases: conditions with facts, and what they have to be worth. Status 1 where one is not; needs no API."""
    from services.rules.case_files import UnreadableCaseFile, run_case_file

    try:
        reports = [run_case_file(file) for file in files]
    except (UnreadableCaseFile, OSError) as error:
        raise UsageError(str(error)) from error
    if as_json:
        print(json.dumps([report.to_json() for report in reports], indent=2, ensure_ascii=False))
    else:
        sys.stdout.writelines(f"{plain(line)}\n" for report in reports for line in _lines(report))
    return FAILED if any(report.failures for report in reports) else OK


async def backtest(
    rule: Annotated[str, Parameter(help="A file with the rule, in JSON or YAML; or the id of a stored rule.")],
    /,
    *,
    since: Annotated[str, Parameter(help="From when: a duration such as 30d, or an instant.")],
    output: Output = "table",
    api: Api = HERE,
) -> None:
    """Replay what was recorded: what would the rule have promoted, when, and what became of it in fact."""
    body = {"since": since, **_named(rule)}
    async with api.client() as client:
        found = await client.raw("POST", "/promotions/rules/backtest", body=body)
    show_rows(found["items"], REPLAYED, output, whole=found)
    note(
        f"of {found['deployments']} deployments it would have promoted {found['would_promote']}, "
        f"{found['regretted']} of which were rejected or failed later"
        f"{'; there was more than is replayed at once, narrow the time' if found['truncated'] else ''}"
    )


def _named(rule: str) -> dict[str, Any]:
    if rule != "-" and not Path(rule).exists():
        from uuid import UUID

        try:
            return {"rule_id": str(UUID(rule))}
        except ValueError:
            raise UsageError(f"{rule!r} is neither a file nor the id of a rule") from None
    document = read_document(Path(rule))
    if not isinstance(document, dict):
        raise UsageError(f"{rule} has to hold one rule")
    return {"rule": document}


def _lines(report: "FileReport") -> Iterator[str]:
    failed = report.failures
    yield f"{'✗' if failed else '✓'} {report.path}: {len(report.results)} cases, {len(failed)} failed"
    for result in failed:
        yield f"  ✗ {result.name}"
        yield from (f"      {problem}" for problem in result.problems)
        yield from (f"      {error.path}: {error.message}" for error in result.errors)
        if result.explanation is not None:
            yield from tree_lines(result.explanation.tree, depth=3)
