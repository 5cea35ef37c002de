"""Whose a key is: the person as whom it acts, so that several keys make no second voter."""

from alembic import op

revision = "platform_0003"
down_revision = "platform_0002"


def upgrade() -> None:
    op.execute("ALTER TABLE platform.api_key ADD COLUMN owner text")
