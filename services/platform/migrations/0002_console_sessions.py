"""Who is signed in to the console: a hash of each session's random id, and the key that it stands for."""

from alembic import op

revision = "platform_0002"
down_revision = "platform_0001"


def upgrade() -> None:
    op.execute("""CREATE TABLE platform.console_session (
        id_hash bytea PRIMARY KEY,
        key_id text NOT NULL REFERENCES platform.api_key (id),
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL
    )""")
    op.execute("CREATE INDEX console_session_expiry ON platform.console_session (expires_at)")
    op.execute("GRANT SELECT, INSERT, DELETE ON platform.console_session TO promotion_platform")
