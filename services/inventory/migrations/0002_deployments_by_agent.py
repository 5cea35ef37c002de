"""An index for the list of one agent's deployments, whatever became of them."""

from alembic import op

revision = "inventory_0002"
down_revision = "inventory_0001"


def upgrade() -> None:
    op.execute("""CREATE INDEX deployment_of_agent
        ON inventory.deployment (organization_id, agent_id, deployed_at, deployment_id, gateway_id)""")
