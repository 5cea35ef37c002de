"""What each service process says of itself every few seconds."""

from alembic import op

revision = "platform_0005"
down_revision = "platform_0004"


def upgrade() -> None:
    op.execute("""CREATE TABLE platform.service_report (
        service text NOT NULL,
        instance text NOT NULL,
        started_at timestamptz NOT NULL,
        reported_at timestamptz NOT NULL,
        trouble text[] NOT NULL,
        -- Records that wait in Kafka, by topic.
        lag json NOT NULL,
        outbox_rows bigint NOT NULL,
        outbox_oldest_at timestamptz,
        last_error text,
        last_error_at timestamptz,
        PRIMARY KEY (service, instance)
    ) WITH (fillfactor = 50)""")
    # Every service reports; who looks, and who forgets what has not reported for long, is the platform's role.
    op.execute("GRANT SELECT, INSERT, UPDATE ON platform.service_report TO promotion_reader")
    op.execute("GRANT SELECT, DELETE ON platform.service_report TO promotion_platform")
