"""Commands about events: send."""

from pathlib import Path

from cyclopts import App

from studio.cli.exits import UsageError
from studio.cli.files import read_document
from studio.cli.options import HERE, Api, Output
from studio.cli.output import Column, show_rows

app = App(name="events", help="Hand in CloudEvents.")

ACCEPTED = (Column("ID", "id"), Column("TYPE", "type"), Column("STATUS", "status"))


@app.command
async def send(file: Path, /, *, output: Output = "table", api: Api = HERE) -> None:
    """Hand in the CloudEvents of a file; they are kept when this ends with status 0.

    Parameters
    ----------
    file
        One event or a list of them, in JSON or YAML; - reads standard input.
    """
    document = read_document(file)
    events = document if isinstance(document, list) else [document]
    if not events or not all(isinstance(event, dict) for event in events):
        raise UsageError(f"{file} has to hold one CloudEvent or a list of them")
    async with api.client() as client:
        accepted = await client.send_events(events)
    show_rows([item.model_dump(mode="json") for item in accepted], ACCEPTED, output)
