"""What happened, counted by hour and by day, so that statistics are read and not counted each time.

``bucket`` is the logarithm of a duration, on the scale of ``statistics``; null where nothing took time.
"""

from alembic import op

revision = "promotion_0012"
down_revision = "promotion_0011"

_ROLE = "promotion_promotion"


def upgrade() -> None:
    op.execute("""CREATE TABLE promotion.tally (
        organization_id text NOT NULL,
        since timestamptz NOT NULL,
        hours smallint NOT NULL CHECK (hours IN (1, 24)),
        target_environment text NOT NULL,
        what text NOT NULL CHECK (what IN ('requested', 'approved', 'completed', 'failed', 'rejected')),
        bucket int,
        times bigint NOT NULL
    )""")
    op.execute("CREATE INDEX tally_since ON promotion.tally (organization_id, since)")
    op.execute("CREATE INDEX tally_by_hour ON promotion.tally (since) WHERE hours = 1")
    op.execute("""CREATE TABLE promotion.counted (
        organization_id text PRIMARY KEY,
        until timestamptz NOT NULL
    )""")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON promotion.tally TO {_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON promotion.counted TO {_ROLE}")
    op.execute(
        "CREATE INDEX promotion_ended ON promotion.promotion (organization_id, completed_at) "
        "WHERE completed_at IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX promotion_decided ON promotion.promotion (organization_id, approved_at) "
        "WHERE requires_approval AND approved_at IS NOT NULL"
    )
