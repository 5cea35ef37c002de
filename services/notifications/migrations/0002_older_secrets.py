"""Old secrets of webhooks that were replaced more than once meanwhile: each with its own time, the newest first."""

from alembic import op

revision = "notifications_0002"
down_revision = "notifications_0001"


def upgrade() -> None:
    op.execute("ALTER TABLE notifications.webhook ADD COLUMN older_secrets json NOT NULL DEFAULT '[]'")
