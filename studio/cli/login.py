"""Commands about whom to speak to: login, logout, config."""

import sys

from cyclopts import App

from studio.cli.configuration import (
    KEY,
    SETTABLE,
    URL,
    configuration_file,
    read_configuration,
    write_configuration,
)
from studio.cli.exits import UsageError
from studio.cli.options import Output
from studio.cli.output import Column, note, show_rows

config = App(name="config", help="What the command line remembers: show, set, unset.")


async def login(*, url: str | None = None) -> None:
    """Remember an API's address and a key for it, once they are found to work.

    The key is asked for, or read from standard input; never from the command line, which others can read.

    Parameters
    ----------
    url
        The API's address, such as http://127.0.0.1:8080; by default the one that is remembered.
    """
    from studio.client import PromotionClient

    kept = read_configuration()
    address = url or kept.get(URL)
    if not address:
        raise UsageError("say which API: promotion login --url http://127.0.0.1:8080")
    key = _key()
    async with PromotionClient(address, key) as client:
        await client.get_environments()
    write_configuration(kept | {URL: address, KEY: key})
    note(f"{configuration_file()} has the key of {address} now; forget it: promotion logout")


def logout() -> None:
    """Forget the key that is remembered."""
    kept = read_configuration()
    kept.pop(KEY, None)
    write_configuration(kept)
    note("the key is forgotten here; it works until it is revoked: promotion token revoke")


@config.command
def show(*, output: Output = "table") -> None:
    """Show what is remembered; of a key only its beginning."""
    kept = read_configuration()
    rows = [{"name": name, "value": f"{value[:6]}…" if name == KEY else value} for name, value in sorted(kept.items())]
    whole = {row["name"]: row["value"] for row in rows}
    show_rows(rows, (Column("NAME", "name"), Column("VALUE", "value")), output, whole=whole)
    note(f"file: {configuration_file()}")


@config.command(name="set")
def set_(name: str, value: str, /) -> None:
    """Remember a value: url, the API's address; or as, the person for whom a delegate's key acts.

    Parameters
    ----------
    name
        The name.
    value
        The value. Another url forgets the key, which was for the one before.
    """
    kept = read_configuration()
    _check(name)
    if name == URL and kept.get(URL) != value:
        kept.pop(KEY, None)
    write_configuration(kept | {name: value})


@config.command
def unset(name: str, /) -> None:
    """Forget a value.

    Parameters
    ----------
    name
        The name.
    """
    kept = read_configuration()
    _check(name)
    kept.pop(name, None)
    write_configuration(kept)


def _check(name: str) -> None:
    if name not in SETTABLE:
        hint = "a key is remembered by promotion login" if "key" in name else f"there are {', '.join(SETTABLE)}"
        raise UsageError(f"{name!r} cannot be set here; {hint}")


def _key() -> str:
    if sys.stdin.isatty():
        from getpass import getpass

        key = getpass("API key: ").strip()
    else:
        key = sys.stdin.readline().strip()
    if not key.isascii() or not key.startswith("pk_"):
        raise UsageError("that is no API key: one begins with pk_; promotion token create makes one")
    return key
