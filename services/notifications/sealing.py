"""Webhooks' secrets between people, the vault and signatures: sealed for one webhook, they open for no other."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notifications.domain.hook import Hook
from services.notifications.domain.signing import NEW_SECRET_BYTES, read_secret, write_secret
from services.platform.vault import Vault


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a webhook's secret belongs."""

    organization_id: str
    webhook_id: UUID

    def binding(self) -> bytes:
        """Give the bytes that a sealed secret is bound to."""
        return f"secret of a webhook\n{self.organization_id}\n{self.webhook_id}".encode()


def new_secret() -> str:
    """Make a secret up."""
    return write_secret(secrets.token_bytes(NEW_SECRET_BYTES))


def open_secrets(vault: Vault, hook: Hook, *, now: datetime) -> Sequence[bytes]:
    """Give what to sign with: the secret, and those before it whose time is not over; raises NotOpened."""
    place = SecretPlace(hook.organization_id, hook.id)
    sealed = [hook.secret, *(old.sealed for old in hook.old_secrets_at(now))]
    return [read_secret(vault.open(each, place)) for each in sealed]
