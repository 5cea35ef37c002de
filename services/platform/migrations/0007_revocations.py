"""Which API keys have been revoked, for those who must not believe any more what was done with them."""

from alembic import op

revision = "platform_0007"
down_revision = "platform_0006"


def upgrade() -> None:
    op.execute("""CREATE VIEW platform.published_revocation AS
        SELECT id, organization_id, revoked_at FROM platform.api_key WHERE revoked_at IS NOT NULL""")
    op.execute("GRANT SELECT ON platform.published_revocation TO promotion_reader")
