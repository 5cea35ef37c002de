"""Sessions of those who signed in through the issuer: as whom, with which roles; no key stands behind them."""

from alembic import op

revision = "platform_0010"
down_revision = "platform_0009"


def upgrade() -> None:
    op.execute("""ALTER TABLE platform.console_session
        ALTER COLUMN key_id DROP NOT NULL,
        ADD COLUMN organization_id text,
        ADD COLUMN subject text,
        ADD COLUMN roles text[],
        ADD CONSTRAINT console_session_is_somebodys CHECK (
            (key_id IS NULL) = (organization_id IS NOT NULL)
            AND (organization_id IS NULL) = (subject IS NULL)
            AND (organization_id IS NULL) = (roles IS NULL))""")
