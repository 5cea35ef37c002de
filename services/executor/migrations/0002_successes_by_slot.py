"""The last success of a slot is found at once: no later one is dated before it."""

from alembic import op

revision = "executor_0002"
down_revision = "executor_0001"


def upgrade() -> None:
    op.execute("""CREATE INDEX execution_successes ON executor.execution (slot, finished_at)
        WHERE status = 'succeeded'""")
