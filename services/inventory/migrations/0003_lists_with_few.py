"""Indexes for lists of what few deployments among very many have: a status, an environment."""

from alembic import op

revision = "inventory_0003"
down_revision = "inventory_0002"


def upgrade() -> None:
    for column in ("status", "environment"):
        op.execute(f"""CREATE INDEX deployment_of_{column} ON inventory.deployment
            (organization_id, {column}, deployed_at, deployment_id, gateway_id)""")
