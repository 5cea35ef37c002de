"""One promotion under way for an agent's deployment and a gateway: a deployment's id alone may be another agent's too.

It so lies within a slot, whose lock orders those who would create a second one.
"""

from alembic import op

revision = "promotion_0007"
down_revision = "promotion_0006"


def upgrade() -> None:
    op.execute("DROP INDEX promotion.promotion_under_way")
    op.execute("""CREATE UNIQUE INDEX promotion_under_way ON promotion.promotion
        (organization_id, source_deployment_id, target_gateway_id, agent_id)
        WHERE status IN ('pending', 'approved')""")
