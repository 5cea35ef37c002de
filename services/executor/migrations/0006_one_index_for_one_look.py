"""Partial indexes whose conditions differ in their words, so that none serves a look that is another's."""

from alembic import op

revision = "executor_0006"
down_revision = "executor_0005"


def upgrade() -> None:
    op.execute("DROP INDEX executor.execution_due")
    op.execute("""CREATE INDEX execution_due ON executor.execution (organization_id, gateway_id, due_at)
        WHERE finished_at IS NULL""")
    op.execute("DROP INDEX executor.execution_give_up")
    op.execute("""CREATE INDEX execution_give_up ON executor.execution (give_up_at)
        WHERE finished_at IS NULL AND NOT taken""")
