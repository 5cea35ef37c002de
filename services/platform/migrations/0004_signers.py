"""What an API key signs Kafka records with, sealed under the pepper, for the services that verify them."""

from alembic import op

revision = "platform_0004"
down_revision = "platform_0003"


def upgrade() -> None:
    op.execute("ALTER TABLE platform.api_key ADD COLUMN signing_key bytea")
    op.execute("""CREATE VIEW platform.published_signer AS
        SELECT id, organization_id, subject, owner, roles, expires_at, revoked_at, signing_key
        FROM platform.api_key""")
    op.execute("GRANT SELECT ON platform.published_signer TO promotion_reader")
