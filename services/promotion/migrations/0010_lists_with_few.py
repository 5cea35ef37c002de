"""Indexes for lists of which there are few or none among very many: what ended badly, of a person, of a place.

None of them begins like what a slot is asked by, and none holds what is under way by its status: beside such a one the
choice of the next in a slot was planned wrongly.
"""

from alembic import op

revision = "promotion_0010"
down_revision = "promotion_0009"


def upgrade() -> None:
    newest = "created_at DESC, id DESC"
    for statement in (
        f"CREATE INDEX promotion_ended_badly ON promotion.promotion (organization_id, {newest}) "
        "WHERE status IN ('failed', 'rejected')",
        f"CREATE INDEX promotion_of_person ON promotion.promotion (organization_id, created_by, {newest})",
        f"CREATE INDEX promotion_to_gateway ON promotion.promotion (organization_id, target_gateway_id, {newest})",
        f"CREATE INDEX promotion_to_environment ON promotion.promotion (organization_id, target_environment, {newest})",
        # What people did is little beside what services did.
        "CREATE INDEX history_of_people ON promotion.history (organization_id, actor, chain_seq) "
        "WHERE actor NOT LIKE 'service:%'",
    ):
        op.execute(statement)
