"""Partial indexes for what is due and for what is given up, of which neither serves a look into a slot."""

from alembic import op

revision = "executor_0006"
down_revision = "executor_0005"


def upgrade() -> None:
    op.execute("""CREATE INDEX execution_due_by_gateway ON executor.execution (organization_id, gateway_id, due_at)
        WHERE finished_at IS NULL""")
    op.execute("""CREATE INDEX execution_to_give_up ON executor.execution (give_up_at)
        WHERE finished_at IS NULL AND NOT taken""")
