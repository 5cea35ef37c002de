"""What happened lately, counted by parts of an hour until the hour is over; a process of an older version needs none.

``until`` is where whole hours are counted up to, as before; ``partly`` is where parts of the hours after it are.
"""

from alembic import op

revision = "promotion_0015"
down_revision = "promotion_0014"


def upgrade() -> None:
    op.execute("ALTER TABLE promotion.tally DROP CONSTRAINT tally_hours_check")
    op.execute("ALTER TABLE promotion.tally ADD CONSTRAINT tally_hours_check CHECK (hours IN (0, 1, 24))")
    op.execute("ALTER TABLE promotion.counted ADD COLUMN partly timestamptz")
