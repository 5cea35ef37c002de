"""The append-only log on disk. Lines of concurrent requests share one write and one fsync.

It never says that a line is durable before it is, and after a failed write it says nothing ever again.
"""

import asyncio
import fcntl
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.gateway.records import AnyRecord, to_line


class LogUnusableError(Exception):
    """Another gateway writes this log, or it is no file that can be appended to."""


class LogFailedError(Exception):
    """A write failed (a full disk, say). Memory is ahead of the log for good, so the gateway must stop."""


class Journal:
    """Owns the log file. `append` is free; `flushed` returns when all appended before it is on disk."""

    def __init__(self, path: Path, *, fsync: bool, on_failure: Callable[[LogFailedError], None]) -> None:
        self.path = path
        self._fsync = fsync
        self._on_failure = on_failure
        self._descriptor = _open_locked(path)
        self._pending: list[bytes] = []
        self._batch: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gateway-log")
        self._failure: LogFailedError | None = None

    def append(self, record: AnyRecord) -> None:
        """Put a record in line."""
        self._pending.append(to_line(record))

    async def flushed(self) -> None:
        """Wait until everything appended so far is durable; raises `LogFailedError` if it cannot be."""
        if self._failure is not None:
            raise self._failure
        if self._batch is None:
            self._batch = asyncio.get_running_loop().create_future()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_batches())
        await asyncio.shield(self._batch)

    async def close(self) -> None:
        """Write what is left and let go of the file."""
        try:
            if self._failure is None:
                await self.flushed()
        finally:
            self._thread.shutdown()
            os.close(self._descriptor)

    async def _write_batches(self) -> None:
        loop = asyncio.get_running_loop()
        while self._batch is not None:
            batch, self._batch = self._batch, None
            lines, self._pending = self._pending, []
            try:
                await loop.run_in_executor(self._thread, self._write, b"".join(lines))
            except OSError as error:
                self._fail(batch, error)
                return
            batch.set_result(None)
        self._writer = None

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        if self._fsync:
            os.fdatasync(self._descriptor)

    def _fail(self, batch: asyncio.Future[None], error: OSError) -> None:
        self._failure = LogFailedError(f"{self.path} cannot be written: {error}. Free the disk and start again.")
        for waiting in (batch, self._batch):
            if waiting is not None:
                waiting.set_exception(self._failure)
                waiting.exception()
        self._on_failure(self._failure)


def _open_locked(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LogUnusableError(f"{path} is not a regular file. Choose another log.")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _cut_torn_line(descriptor)
        _sync_folder(path.parent)
    except BaseException as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise LogUnusableError(
            f"{path} belongs to a gateway that is running. Stop it, or choose another log."
        ) from error
    return descriptor


def _cut_torn_line(descriptor: int) -> None:
    """A line cut by a crash was never answered; left in place, it would spoil the next one."""
    end = size = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
