"""Executions that everybody has taken may be let go when they are old; what may still be live never."""

from alembic import op

revision = "executor_0004"
down_revision = "executor_0003"


def upgrade() -> None:
    op.execute("CREATE INDEX execution_age ON executor.execution (finished_at) WHERE taken")
    op.execute("GRANT DELETE ON executor.execution, executor.orphan TO promotion_executor")
