"""An index for the log of a webhook by status, of which there may be few among very many."""

from alembic import op

revision = "notifications_0003"
down_revision = "notifications_0002"


def upgrade() -> None:
    op.execute("""CREATE INDEX delivery_of_status
        ON notifications.delivery (organization_id, webhook_id, status, created_at, id)""")
