"""What the command line remembers in a file of the user's own: the API's address, a key for it, whom to act for.

The environment and options win over it. The key is only ever used with the address that it was stored for.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from studio.cli.exits import UsageError

URL, KEY, ON_BEHALF_OF = "url", "api_key", "as"
# What people may set by hand; a key is told to login alone, since others can read a command line.
SETTABLE = (URL, ON_BEHALF_OF)


def configuration_file() -> Path:
    """Name the file: PROMOTION_CONFIG, or the place where the system keeps such files."""
    if named := os.environ.get("PROMOTION_CONFIG"):
        return Path(named)
    folder = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(folder) / "promotion" / "config.json"


def read_configuration() -> dict[str, str]:
    """Give what is remembered; raises UsageError for a file that others can read or that is none of ours."""
    file = configuration_file()
    try:
        content = file.read_text(encoding="utf-8")
        exposed = file.stat().st_mode & 0o077
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise UsageError(f"{file} is no configuration; correct it, or remove it and run: promotion login")
    if KEY in document and exposed:
        raise UsageError(f"{file} holds a key and others can read it; run: chmod 600 {file}")
    return document


def write_configuration(values: Mapping[str, str]) -> None:
    """Remember ``values`` and nothing else, mode 0600."""
    from studio.local.private_files import write_private

    file = configuration_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, json.dumps(dict(values), indent=2) + "\n")
