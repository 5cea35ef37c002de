"""Where an execution was sent, so that it is looked up and fenced there although its gateway moved meanwhile."""

from alembic import op

revision = "executor_0003"
down_revision = "executor_0002"


def upgrade() -> None:
    # The credential is sealed for that address, and dropped as soon as nothing there can be live any more.
    op.execute("""ALTER TABLE executor.execution
        ADD COLUMN called_url text,
        ADD COLUMN called_credential text""")
