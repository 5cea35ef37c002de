"""One stack per data folder: a file lock that the kernel releases when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path

from studio.local.trouble import StartError


class FolderInUseError(StartError):
    """Another live process holds the data folder."""

    def __init__(self, folder: Path, holder_pid: str) -> None:
        super().__init__(
            f"The data folder {folder} is in use by process {holder_pid or 'unknown'}. "
            f"Stop that one, or choose another data folder."
        )


class FolderLock:
    """An exclusive lock on a folder; holds the pid of its owner for whoever finds it taken."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._path = folder / name
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise FolderInUseError at once."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder_pid = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise FolderInUseError(self._folder, holder_pid) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
