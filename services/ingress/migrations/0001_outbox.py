"""The outbox of the events that come in over HTTP."""

from alembic import op

from services.platform.outbox_table import outbox_table

revision = "ingress_0001"
down_revision = None


def upgrade() -> None:
    for statement in outbox_table("ingress"):
        op.execute(statement)
