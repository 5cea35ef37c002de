"""Environments, gateways, deployments, and what others may read of them."""

from alembic import op

from services.platform.outbox_table import outbox_table

revision = "inventory_0001"
down_revision = None


def upgrade() -> None:
    _environments()
    _gateways()
    _deployments()
    for statement in outbox_table("inventory"):
        op.execute(statement)


def _environments() -> None:
    op.execute("""CREATE TABLE inventory.environments (
        organization_id text PRIMARY KEY,
        names text[] NOT NULL CHECK (cardinality(names) >= 2),
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL
    )""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON inventory.environments TO promotion_inventory")
    op.execute("""CREATE VIEW inventory.published_environments AS
        SELECT organization_id, names FROM inventory.environments""")
    op.execute("GRANT SELECT ON inventory.published_environments TO promotion_reader")


def _gateways() -> None:
    op.execute("""CREATE TABLE inventory.gateway (
        organization_id text NOT NULL,
        gateway_id text NOT NULL,
        name text NOT NULL,
        environment text NOT NULL,
        url text NOT NULL,
        credential text,
        is_default boolean NOT NULL,
        max_concurrency int NOT NULL CHECK (max_concurrency > 0),
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        updated_at timestamptz NOT NULL,
        updated_by text NOT NULL,
        PRIMARY KEY (organization_id, gateway_id)
    )""")
    op.execute(
        "CREATE UNIQUE INDEX gateway_default ON inventory.gateway (organization_id, environment) WHERE is_default"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON inventory.gateway TO promotion_inventory")
    op.execute("""CREATE VIEW inventory.published_gateway AS
        SELECT organization_id, gateway_id, name, environment, url, credential, is_default, max_concurrency
        FROM inventory.gateway""")
    # Where it is and what opens it concerns the executor alone.
    op.execute("GRANT SELECT ON inventory.published_gateway TO promotion_executor")
    op.execute(
        "GRANT SELECT (organization_id, gateway_id, name, environment, is_default, max_concurrency) "
        "ON inventory.published_gateway TO promotion_reader"
    )


def _deployments() -> None:
    # One row an organization: its lock puts the organization's changes in order, its value numbers them.
    op.execute("""CREATE TABLE inventory.last_change (
        organization_id text PRIMARY KEY,
        changed_at timestamptz NOT NULL
    ) WITH (fillfactor = 50)""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON inventory.last_change TO promotion_inventory")
    op.execute("""CREATE TABLE inventory.deployment (
        organization_id text NOT NULL,
        gateway_id text NOT NULL,
        deployment_id text NOT NULL,
        agent_id text NOT NULL,
        environment text NOT NULL,
        version text NOT NULL,
        digest text,
        status text NOT NULL CHECK (status IN ('active', 'retired', 'removed', 'failed')),
        deployed_at timestamptz NOT NULL,
        succeeded_at timestamptz,
        failed_at timestamptz,
        removed_at timestamptz,
        active_since timestamptz,
        retired_at timestamptz,
        promotion_id uuid,
        error text,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (organization_id, gateway_id, deployment_id),
        CHECK ((status = 'active') = (active_since IS NOT NULL)),
        CHECK ((status = 'retired') = (retired_at IS NOT NULL)),
        CHECK (status NOT IN ('active', 'retired') OR succeeded_at IS NOT NULL)
    )""")
    op.execute("""CREATE UNIQUE INDEX deployment_live
        ON inventory.deployment (organization_id, agent_id, gateway_id) WHERE status = 'active'""")
    op.execute("""CREATE INDEX deployment_slot
        ON inventory.deployment (organization_id, agent_id, gateway_id, succeeded_at, deployment_id)
        WHERE succeeded_at IS NOT NULL""")
    op.execute("CREATE INDEX deployment_identifier ON inventory.deployment (organization_id, deployment_id)")
    op.execute("""CREATE INDEX deployment_newest
        ON inventory.deployment (organization_id, deployed_at, deployment_id, gateway_id)""")
    op.execute("CREATE INDEX deployment_changed ON inventory.deployment (organization_id, changed_at)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON inventory.deployment TO promotion_inventory")
    op.execute("""CREATE VIEW inventory.published_deployment AS
        SELECT organization_id, deployment_id, agent_id, gateway_id, environment, version, digest, status,
               deployed_at, active_since, retired_at, promotion_id, changed_at
        FROM inventory.deployment""")
    op.execute("GRANT SELECT ON inventory.published_deployment TO promotion_reader")
