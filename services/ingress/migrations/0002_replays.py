"""Dead letters are sent again through the door's outbox, by the role that marks them, in one transaction."""

from alembic import op

revision = "ingress_0002"
down_revision = "ingress_0001"


def upgrade() -> None:
    op.execute("GRANT USAGE ON SCHEMA ingress TO promotion_platform")
    op.execute("GRANT INSERT ON ingress.outbox TO promotion_platform")
