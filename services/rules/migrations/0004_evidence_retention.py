"""What is known of deployments that are long gone, and all but the last evaluation of old promotions, may be let go."""

from alembic import op

revision = "rules_0004"
down_revision = "rules_0003"


def upgrade() -> None:
    op.execute("GRANT DELETE ON rules.fact, rules.verdict, rules.watch, rules.evaluation TO promotion_rules")
