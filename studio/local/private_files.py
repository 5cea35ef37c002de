"""Files that hold secrets or that others wait for: readable by their owner alone, whole or not there at all."""

import os
import secrets
from pathlib import Path

from studio.local.trouble import StartError


def write_private(path: Path, content: str) -> None:
    """Put `content` into `path` in one step, mode 0600; a reader sees the old content or the new."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StartError(f"{path} cannot be written: {error.strerror}. Choose another place for it.") from error


def read_or_make_secret(path: Path) -> str:
    """Return the secret kept in `path`, made at the first call; 256 bits of randomness."""
    if path.exists() and (kept := path.read_text(encoding="ascii").strip()):
        return kept
    secret = secrets.token_urlsafe(32)
    write_private(path, f"{secret}\n")
    return secret
