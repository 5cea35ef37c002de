"""What executes only ends: `retrying` is how it is shown meanwhile, and no step leads there."""

from alembic import op

revision = "promotion_0013"
down_revision = "promotion_0012"


def upgrade() -> None:
    op.execute("""CREATE OR REPLACE TRIGGER promotion_step BEFORE UPDATE ON promotion.promotion FOR EACH ROW WHEN (NOT (
        (CASE
            WHEN OLD.status NOT IN ('pending', 'approved') THEN false
            WHEN NEW.version = OLD.version
                THEN NEW.status = OLD.status AND NEW.status_reason = OLD.status_reason
            WHEN NEW.version <> OLD.version + 1 OR NEW.status_reason = 'retrying' THEN false
            WHEN OLD.status = 'pending' THEN NEW.status IN ('pending', 'approved', 'rejected')
                AND NEW.status_reason <> 'executing'
            WHEN OLD.status_reason IN ('executing', 'retrying') THEN NEW.status IN ('completed', 'failed')
            WHEN NEW.status_reason = 'executing' THEN OLD.status_reason = 'queued'
            ELSE NEW.status = 'approved' OR NEW.status_reason IN ('cancelled', 'expired', 'superseded')
        END)
        AND (NEW.organization_id, NEW.id, NEW.agent_id, NEW.source_deployment_id, NEW.target_environment,
             NEW.origin, NEW.created_by, NEW.created_at)
          = (OLD.organization_id, OLD.id, OLD.agent_id, OLD.source_deployment_id, OLD.target_environment,
             OLD.origin, OLD.created_by, OLD.created_at)
        AND (OLD.target_gateway_id IS NULL OR NEW.target_gateway_id IS NOT DISTINCT FROM OLD.target_gateway_id)
        AND NEW.evaluation_number >= OLD.evaluation_number
    )) EXECUTE FUNCTION promotion.refuse_step()""")
