"""Indexes for two lists of promotions: those of one source deployment, and those that are under way."""

from alembic import op

revision = "promotion_0009"
down_revision = "promotion_0008"


def upgrade() -> None:
    newest = "created_at DESC, id DESC"
    for statement in (
        "CREATE INDEX promotion_of_deployment ON promotion.promotion "
        f"(organization_id, source_deployment_id, {newest})",
        f"CREATE INDEX promotion_pending ON promotion.promotion (organization_id, {newest}) WHERE status = 'pending'",
        f"CREATE INDEX promotion_approved ON promotion.promotion (organization_id, {newest}) WHERE status = 'approved'",
    ):
        op.execute(statement)
