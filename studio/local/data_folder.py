"""Where a local stack keeps what it keeps: one folder, one stack at a time."""

from dataclasses import dataclass
from pathlib import Path

from studio.local.folder_lock import FolderLock
from studio.local.private_files import read_or_make_secret
from studio.local.trouble import StartError


@dataclass(frozen=True)
class DataFolder:
    """The places in a data folder; `open` makes them and locks the folder."""

    path: Path
    lock: FolderLock

    @classmethod
    def open(cls, path: Path) -> "DataFolder":
        """Make `path` if it is missing and take its lock. Raises FolderInUseError or another StartError."""
        absolute = path.absolute()
        folder = cls(absolute, FolderLock(absolute, "stack.lock"))
        try:
            absolute.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.lock.acquire()
            folder.logs.mkdir(exist_ok=True)
            folder.gateways.mkdir(exist_ok=True)
        except OSError as error:
            raise StartError(
                f"The data folder {absolute} cannot be used: {error.strerror}. Choose another with --data-dir."
            ) from error
        return folder

    def close(self) -> None:
        """Let another stack have the folder."""
        self.lock.release()

    @property
    def logs(self) -> Path:
        """What the processes write about themselves."""
        return self.path / "logs"

    @property
    def gateways(self) -> Path:
        """The reference gateways' own records of what they host."""
        return self.path / "gateways"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL's folder."""
        return self.path / "postgres"

    @property
    def apache_kafka(self) -> Path:
        """The folder of an Apache Kafka started here."""
        return self.path / "apache-kafka"

    @property
    def bootstrap_file(self) -> Path:
        """Holds the broker's address as it is now."""
        return self.path / "kafka.bootstrap"

    @property
    def identities_file(self) -> Path:
        """Holds the keys of the local identities."""
        return self.path / "identities.json"

    @property
    def ready_file(self) -> Path:
        """Tells where a running stack is."""
        return self.path / "ready.json"

    def pepper(self) -> str:
        """Give the secret under which API keys are stored; made once for the folder."""
        return read_or_make_secret(self.path / "key.pepper")

    def credential_key(self) -> str:
        """Give the key under which gateways' credentials are sealed; made once for the folder."""
        return read_or_make_secret(self.path / "credential.key")
