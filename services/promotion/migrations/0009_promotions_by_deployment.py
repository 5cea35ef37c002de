"""An index for the list of what was asked for of one source deployment."""

from alembic import op

revision = "promotion_0009"
down_revision = "promotion_0008"


def upgrade() -> None:
    op.execute("""CREATE INDEX promotion_of_deployment
        ON promotion.promotion (organization_id, source_deployment_id, created_at DESC, id DESC)""")
