"""Which account a server runs as: PostgreSQL refuses root, so root's child alone drops to another one."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from studio.local.trouble import StartError

_PREFERRED = ("postgres", "nobody")


class PopenIdentity(TypedDict, total=False):
    """The arguments of subprocess.Popen that make a child drop its privileges."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user of this machine without special rights."""

    name: str
    uid: int
    gid: int

    def identity(self) -> PopenIdentity:
        """Arguments for subprocess.Popen; the supplementary groups of root are dropped too."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may_read(self, path: Path) -> bool:
        """Whether the permission bits let this account read `path` and pass through all its parents."""
        resolved = path.resolve()
        return self._has(resolved, 0o4) and all(self._has(parent, 0o1) for parent in resolved.parents)

    def _has(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            granted = status.st_mode >> 6
        elif status.st_gid == self.gid:
            granted = status.st_mode >> 3
        else:
            granted = stat.S_IMODE(status.st_mode)
        return bool(granted & wanted)


def account_for(cluster: Path) -> Account | None:
    """Return the account to run a server on `cluster` as; None means the current one.

    As root an existing cluster keeps its owner, so that the same data serve with and without root.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        owner = pwd.getpwuid(cluster.stat().st_uid)
        return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
    by_name = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    for name in _PREFERRED:
        if name in by_name:
            return Account(name, by_name[name].pw_uid, by_name[name].pw_gid)
    raise StartError(
        f"PostgreSQL does not run as root, and this machine has none of the accounts {', '.join(_PREFERRED)} "
        f"to run it as. Create one of them (useradd --system postgres), or run without root."
    )
