"""While a gateway is being called there is no next attempt: the end of a lease is none."""

from alembic import op

revision = "executor_0005"
down_revision = "executor_0004"


def upgrade() -> None:
    op.execute("""CREATE OR REPLACE VIEW executor.published_execution AS
        SELECT organization_id, promotion_id, status, attempts,
            CASE WHEN finished_at IS NULL AND NOT leased THEN due_at END AS next_attempt_at, deadline_at, last_error
        FROM executor.execution""")
