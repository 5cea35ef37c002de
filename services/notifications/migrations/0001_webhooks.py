"""Webhooks, what is on its way to them, and how far the history was read for them."""

from alembic import op

from services.platform.outbox_table import outbox_table

revision = "notifications_0001"
down_revision = None

_ROLE = "promotion_notifications"


def upgrade() -> None:
    _webhooks()
    _deliveries()
    # Up to which link of an organization's history every change was looked at, whatever became of it on Kafka.
    op.execute("""CREATE TABLE notifications.position (
        organization_id text PRIMARY KEY,
        chain_seq bigint NOT NULL
    ) WITH (fillfactor = 50)""")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.position TO {_ROLE}")
    for statement in outbox_table("notifications"):
        op.execute(statement)


def _webhooks() -> None:
    # One that is deleted stays until its deliveries are gone, a few at a time.
    op.execute("""CREATE TABLE notifications.webhook (
        organization_id text NOT NULL,
        id uuid NOT NULL,
        name text NOT NULL,
        url text NOT NULL,
        filter json NOT NULL,
        secret text NOT NULL,
        previous_secret text,
        previous_secret_until timestamptz,
        status text NOT NULL CHECK (status IN ('active', 'disabled')),
        status_reason text,
        active_since timestamptz NOT NULL,
        failures int NOT NULL DEFAULT 0 CHECK (failures >= 0),
        failing_since timestamptz,
        rests_until timestamptz,
        last_delivered_at timestamptz,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        deleted_at timestamptz,
        PRIMARY KEY (organization_id, id),
        CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL)),
        CHECK ((failures > 0) = (failing_since IS NOT NULL)),
        CHECK (status = 'disabled' OR status_reason IS NULL)
    )""")
    op.execute("""CREATE INDEX webhook_active ON notifications.webhook (organization_id, id)
        WHERE status = 'active' AND deleted_at IS NULL""")
    op.execute("CREATE INDEX webhook_deleted ON notifications.webhook (deleted_at) WHERE deleted_at IS NOT NULL")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.webhook TO {_ROLE}")


def _deliveries() -> None:
    op.execute("""CREATE TABLE notifications.delivery (
        organization_id text NOT NULL,
        id uuid NOT NULL,
        webhook_id uuid NOT NULL,
        event_id text NOT NULL,
        event text NOT NULL,
        promotion_id uuid,
        body text NOT NULL,
        created_at timestamptz NOT NULL,
        deadline_at timestamptz NOT NULL,
        status text NOT NULL CHECK (status IN ('waiting', 'delivered', 'failed')),
        -- When it may be claimed: the next attempt, or the end of the lease.
        due_at timestamptz NOT NULL,
        leased boolean NOT NULL DEFAULT false,
        -- Rises with every claim and every wish for another round, so that a late outcome finds another one here.
        epoch bigint NOT NULL DEFAULT 0,
        attempts int NOT NULL DEFAULT 0,
        last_attempt_at timestamptz,
        last_duration_ms int,
        last_status int,
        last_error text,
        last_answer text,
        ended_at timestamptz,
        PRIMARY KEY (organization_id, id),
        CHECK ((ended_at IS NULL) = (status = 'waiting')),
        CHECK (NOT leased OR status = 'waiting')
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000)""")
    # An event goes to a webhook once, however often it is heard of.
    op.execute("""CREATE UNIQUE INDEX delivery_once
        ON notifications.delivery (organization_id, webhook_id, event_id)""")
    op.execute("""CREATE INDEX delivery_due ON notifications.delivery (organization_id, webhook_id, due_at)
        WHERE status = 'waiting'""")
    op.execute("CREATE INDEX delivery_deadline ON notifications.delivery (deadline_at) WHERE status = 'waiting'")
    op.execute("CREATE INDEX delivery_ended ON notifications.delivery (ended_at) WHERE status <> 'waiting'")
    op.execute("""CREATE INDEX delivery_newest
        ON notifications.delivery (organization_id, webhook_id, created_at, id)""")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON notifications.delivery TO {_ROLE}")
