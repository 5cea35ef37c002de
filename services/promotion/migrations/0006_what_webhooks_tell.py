"""What a webhook is told of a transition can be read by itself: whether glass was broken, and what came of it."""

from alembic import op

revision = "promotion_0006"
down_revision = "promotion_0005"


def upgrade() -> None:
    op.execute("""CREATE OR REPLACE VIEW promotion.published_history AS SELECT
        organization_id, chain_seq, promotion_id, version, previous_status, status, status_reason, status_message,
        actor, at, coalesce((evidence ->> 'break_glass')::boolean, false) AS break_glass
        FROM promotion.history""")
    op.execute("""CREATE OR REPLACE VIEW promotion.published_promotion AS SELECT
        organization_id, id AS promotion_id, agent_id, source_deployment_id, source_environment, target_gateway_id,
        target_environment, deployment_version, digest, origin, status, status_reason, status_message,
        evaluation_number, required_approvers, approvals,
        status = 'rejected' AND status_reason IN ('rejected', 'cancelled') AS rejected_by_person,
        created_by, created_at, completed_at, target_deployment_id
        FROM promotion.promotion""")
