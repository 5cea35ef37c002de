"""The indexes that served any look at what is unfinished go, once others are made: nobody waits long for that."""

from alembic import op

revision = "executor_0007"
down_revision = "executor_0006"


def upgrade() -> None:
    op.execute("DROP INDEX executor.execution_due")
    op.execute("DROP INDEX executor.execution_give_up")
