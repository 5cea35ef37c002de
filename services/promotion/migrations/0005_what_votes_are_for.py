"""What a vote was cast for and with which key, and the votes of administrators who approve alone."""

from alembic import op

revision = "promotion_0005"
down_revision = "promotion_0004"


def upgrade() -> None:
    op.execute("""ALTER TABLE promotion.vote
        ADD COLUMN binds text,
        ADD COLUMN breaks_glass boolean NOT NULL DEFAULT false,
        ADD COLUMN key_id text,
        ADD CONSTRAINT vote_glass_reasoned CHECK (NOT breaks_glass OR (reason IS NOT NULL AND decision = 'approve'))""")
