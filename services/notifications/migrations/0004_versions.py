"""Versions of webhooks, so that nobody's change is lost to another's."""

from alembic import op

revision = "notifications_0004"
down_revision = "notifications_0003"


def upgrade() -> None:
    op.execute("ALTER TABLE notifications.webhook ADD COLUMN version int NOT NULL DEFAULT 1")
