"""Whose facts an organization believes: {field or group: [publisher, ...]}."""

from alembic import op

revision = "rules_0003"
down_revision = "rules_0002"


def upgrade() -> None:
    op.execute("""CREATE TABLE rules.fact_publishers (
        organization_id text PRIMARY KEY,
        publishers json NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL
    )""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.fact_publishers TO promotion_rules")
