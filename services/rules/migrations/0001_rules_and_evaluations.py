"""Rules with every version of them, requests with every evaluation, and what waits to be looked at again."""

from alembic import op

from services.platform.outbox_table import outbox_table

revision = "rules_0001"
down_revision = None


def upgrade() -> None:
    _rules()
    _evaluations()
    _recheck()
    for statement in outbox_table("rules"):
        op.execute(statement)
    op.execute("""CREATE VIEW rules.published_evaluation AS
        SELECT e.organization_id, e.promotion_id, e.number, e.evaluated_at, e.conditions, e.summary
        FROM rules.request r
        JOIN rules.evaluation e ON e.organization_id = r.organization_id AND e.promotion_id = r.promotion_id
            AND e.number = r.latest_number""")
    op.execute("GRANT SELECT ON rules.published_evaluation TO promotion_reader")


def _rules() -> None:
    # One row a version; the open one (valid_to IS NULL) is the rule as it is now. A deleted rule has none.
    op.execute("""CREATE TABLE rules.rule_version (
        organization_id text NOT NULL,
        rule_id uuid NOT NULL,
        version int NOT NULL,
        name text NOT NULL,
        source_environment text NOT NULL,
        target_environment text NOT NULL,
        requires_approval boolean NOT NULL,
        auto_promote boolean NOT NULL,
        required_approvers int NOT NULL CHECK (required_approvers BETWEEN 1 AND 20),
        conditions text,
        language_version int NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'shadow', 'disabled')),
        execution text NOT NULL CHECK (execution IN ('automatic', 'manual')),
        expires_after_seconds int NOT NULL,
        target_gateway_id text,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        valid_from timestamptz NOT NULL,
        changed_by text NOT NULL,
        valid_to timestamptz,
        ended_by text,
        PRIMARY KEY (organization_id, rule_id, version)
    )""")
    op.execute("""CREATE UNIQUE INDEX rule_version_open ON rules.rule_version (organization_id, rule_id)
        WHERE valid_to IS NULL""")
    op.execute("""CREATE INDEX rule_version_newest ON rules.rule_version (organization_id, created_at DESC, rule_id)
        WHERE valid_to IS NULL""")
    op.execute("GRANT SELECT, INSERT ON rules.rule_version TO promotion_rules")
    # A version is written once; only its end is added.
    op.execute("GRANT UPDATE (valid_to, ended_by) ON rules.rule_version TO promotion_rules")
    # Rises with every change of an organization's rules, so that what is cached of them can be checked.
    op.execute("""CREATE TABLE rules.rule_book (
        organization_id text PRIMARY KEY,
        revision bigint NOT NULL
    )""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.rule_book TO promotion_rules")


def _evaluations() -> None:
    op.execute("""CREATE TABLE rules.request (
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        agent_id text NOT NULL,
        source_deployment_id text NOT NULL,
        asked_gateway_id text,
        target_environment text NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        origin text NOT NULL,
        rule_id uuid,
        rule_version int,
        caused_by text NOT NULL,
        traceparent text,
        received_at timestamptz NOT NULL,
        latest_number int NOT NULL,
        -- Set while the source deployment is unknown.
        hold_until timestamptz,
        -- Whether facts or the clock may still change what was evaluated.
        watching boolean NOT NULL,
        -- What the first evaluation found; later ones keep it.
        source_environment text,
        target_gateway_id text,
        deployment_version text,
        digest text,
        -- The rule versions that apply: [[rule id, version], ...].
        snapshot text NOT NULL,
        PRIMARY KEY (organization_id, promotion_id)
    ) WITH (fillfactor = 80)""")
    op.execute("""CREATE INDEX request_waiting ON rules.request (organization_id, source_deployment_id)
        WHERE hold_until IS NOT NULL OR watching""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.request TO promotion_rules")
    op.execute("""CREATE TABLE rules.evaluation (
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        number int NOT NULL CHECK (number >= 1),
        evaluated_at timestamptz NOT NULL,
        conditions text NOT NULL,
        summary text NOT NULL,
        holds_until timestamptz,
        -- The published record, to be repeated byte by byte.
        headers text NOT NULL,
        value bytea NOT NULL,
        PRIMARY KEY (organization_id, promotion_id, number)
    )""")
    op.execute("GRANT SELECT, INSERT ON rules.evaluation TO promotion_rules")
    # Evaluations that the promotion service has not been seen to take.
    op.execute("""CREATE TABLE rules.unconfirmed (
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        number int NOT NULL,
        due_at timestamptz NOT NULL,
        attempts int NOT NULL,
        PRIMARY KEY (organization_id, promotion_id)
    )""")
    op.execute("CREATE INDEX unconfirmed_due ON rules.unconfirmed (due_at)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON rules.unconfirmed TO promotion_rules")


def _recheck() -> None:
    # Deployments to be looked at again; rows are only added and taken, so that writers never wait for one another.
    op.execute("""CREATE TABLE rules.recheck (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        cause text NOT NULL,
        due_at timestamptz NOT NULL,
        attempts int NOT NULL,
        -- Where a deployment was announced: inventory has to show it on this gateway, since then or later.
        gateway_id text,
        deployed_at timestamptz
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)""")
    op.execute("CREATE INDEX recheck_due ON rules.recheck (due_at, id)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON rules.recheck TO promotion_rules")
    # One row for each deployment that was looked at; its lock lets one worker at a time look.
    op.execute("""CREATE TABLE rules.watch (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        next_check_at timestamptz,
        PRIMARY KEY (organization_id, deployment_id)
    ) WITH (fillfactor = 80)""")
    op.execute("CREATE INDEX watch_due ON rules.watch (next_check_at) WHERE next_check_at IS NOT NULL")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.watch TO promotion_rules")
