"""API keys, and the records that no service could handle."""

from alembic import op

revision = "platform_0001"
down_revision = None


def upgrade() -> None:
    op.execute("""CREATE TABLE platform.api_key (
        id text PRIMARY KEY,
        organization_id text NOT NULL,
        subject text NOT NULL,
        roles text[] NOT NULL,
        digest bytea NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz
    )""")
    op.execute("CREATE INDEX api_key_organization ON platform.api_key (organization_id, created_at DESC)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON platform.api_key TO promotion_platform")
    op.execute("""CREATE TABLE platform.dead_letter (
        id uuid PRIMARY KEY,
        consumer_group text NOT NULL,
        topic text NOT NULL,
        kafka_partition int NOT NULL,
        kafka_offset bigint NOT NULL,
        kafka_timestamp_ms bigint NOT NULL,
        key bytea,
        headers text NOT NULL,
        value bytea,
        reason text NOT NULL,
        detail text NOT NULL,
        parked_at timestamptz NOT NULL,
        replayed_at timestamptz,
        discarded_at timestamptz
    )""")
    op.execute("CREATE INDEX dead_letter_open ON platform.dead_letter (parked_at DESC, id)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON platform.dead_letter TO promotion_platform")
    # Every service parks; what was parked is read and replayed by the platform's own role.
    op.execute("GRANT SELECT (id), INSERT ON platform.dead_letter TO promotion_reader")
