"""An index of what is queued alone, so that a plan made for few promotions stays good for many.

It is mostly empty, so that no larger index is taken for as cheap.
"""

from alembic import op

revision = "promotion_0014"
down_revision = "promotion_0013"


def upgrade() -> None:
    op.execute("""CREATE INDEX promotion_queued ON promotion.promotion
        (organization_id, agent_id, target_gateway_id, created_at, id)
        WHERE status = 'approved' AND status_reason = 'queued'""")
