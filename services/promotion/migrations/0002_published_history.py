"""What others may read of the history: every transition, for the stream of changes."""

from alembic import op

revision = "promotion_0002"
down_revision = "promotion_0001"


def upgrade() -> None:
    op.execute("""CREATE VIEW promotion.published_history AS SELECT
        organization_id, chain_seq, promotion_id, version, previous_status, status, status_reason, status_message,
        actor, at
        FROM promotion.history""")
    op.execute("GRANT SELECT ON promotion.published_history TO promotion_reader")
