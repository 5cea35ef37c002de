"""An index for what one agent's promotions came to: the board and the lists of one agent read it."""

from alembic import op

revision = "promotion_0003"
down_revision = "promotion_0002"


def upgrade() -> None:
    # None of its columns ever changes, so that updates of promotions stay within their pages.
    op.execute(
        "CREATE INDEX promotion_of_agent ON promotion.promotion (organization_id, agent_id, created_at DESC, id DESC)"
    )
