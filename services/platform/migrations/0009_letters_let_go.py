"""Dead letters that somebody dealt with long ago may be let go; open ones never are."""

from alembic import op

revision = "platform_0009"
down_revision = "platform_0008"


def upgrade() -> None:
    op.execute("""CREATE INDEX dead_letter_handled ON platform.dead_letter ((coalesce(replayed_at, discarded_at)))
        WHERE replayed_at IS NOT NULL OR discarded_at IS NOT NULL""")
    op.execute("GRANT DELETE ON platform.dead_letter TO promotion_platform")
