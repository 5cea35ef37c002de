"""Facts with their history, what the trigger asked for, and what rules were worth for deployments."""

from alembic import op

revision = "rules_0002"
down_revision = "rules_0001"

# Ties between facts are broken by source and id as programs order text, not as any language does.
_EVENT = 'source text COLLATE "C" NOT NULL, event_id text COLLATE "C" NOT NULL'


def upgrade() -> None:
    # The fields whose facts changed, separated by spaces; NULL where everything has to be looked at.
    op.execute("ALTER TABLE rules.recheck ADD COLUMN fields text")
    _facts()
    _ledger()
    _verdicts()
    _auto_promotions()


def _facts() -> None:
    # Facts may come before their deployment, so nothing refers to one.
    op.execute(f"""CREATE TABLE rules.fact (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        field text NOT NULL,
        value text NOT NULL,
        observed_at timestamptz NOT NULL,
        {_EVENT},
        PRIMARY KEY (organization_id, deployment_id, field)
    ) WITH (fillfactor = 70)""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.fact TO promotion_rules")
    # The last value of each minute.
    op.execute(f"""CREATE TABLE rules.fact_history (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        field text NOT NULL,
        minute timestamptz NOT NULL,
        value text NOT NULL,
        observed_at timestamptz NOT NULL,
        {_EVENT},
        PRIMARY KEY (organization_id, deployment_id, field, minute)
    ) WITH (fillfactor = 80)""")
    op.execute("CREATE INDEX fact_history_age ON rules.fact_history USING brin (minute)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON rules.fact_history TO promotion_rules")
    op.execute(f"""CREATE TABLE rules.test_run (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        suite text NOT NULL,
        run_id text NOT NULL,
        finished boolean NOT NULL,
        observed_at timestamptz NOT NULL,
        {_EVENT},
        passed bigint,
        failed bigint,
        errors bigint,
        skipped bigint,
        outcome text,
        PRIMARY KEY (organization_id, deployment_id, suite, observed_at, source, event_id)
    )""")
    op.execute("GRANT SELECT, INSERT, DELETE ON rules.test_run TO promotion_rules")
    # Events from the near future, kept as records until their time.
    op.execute("""CREATE TABLE rules.early_event (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        admit_at timestamptz NOT NULL,
        topic text NOT NULL,
        headers text NOT NULL,
        value bytea NOT NULL
    )""")
    op.execute("CREATE INDEX early_event_due ON rules.early_event (admit_at)")
    op.execute("CREATE INDEX early_event_deployment ON rules.early_event (organization_id, deployment_id)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON rules.early_event TO promotion_rules")


def _ledger() -> None:
    # Hashes of (organization, source, id) and of the content: what was taken, and whether a repeat says the same.
    op.execute("""CREATE TABLE rules.seen_event (
        key uuid PRIMARY KEY,
        content uuid NOT NULL,
        seen_at timestamptz NOT NULL
    )""")
    op.execute("CREATE INDEX seen_event_age ON rules.seen_event USING brin (seen_at)")
    op.execute("GRANT SELECT, INSERT, DELETE ON rules.seen_event TO promotion_rules")


def _verdicts() -> None:
    # What the conditions of rules that act by themselves, or only watch, were worth when a deployment was looked at.
    op.execute("""CREATE TABLE rules.verdict (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        rule_id uuid NOT NULL,
        version int NOT NULL,
        result text NOT NULL,
        since timestamptz NOT NULL,
        PRIMARY KEY (organization_id, deployment_id, rule_id)
    ) WITH (fillfactor = 80)""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.verdict TO promotion_rules")
    op.execute("""CREATE TABLE rules.verdict_history (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        rule_id uuid NOT NULL,
        version int NOT NULL,
        result text NOT NULL,
        since timestamptz NOT NULL,
        PRIMARY KEY (organization_id, deployment_id, rule_id, since)
    )""")
    op.execute("CREATE INDEX verdict_history_age ON rules.verdict_history USING brin (since)")
    op.execute("GRANT SELECT, INSERT, DELETE ON rules.verdict_history TO promotion_rules")


def _auto_promotions() -> None:
    # At most one for each deployment and target, for ever.
    op.execute("""CREATE TABLE rules.auto_promotion (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        target_environment text NOT NULL,
        promotion_id uuid NOT NULL,
        agent_id text NOT NULL,
        target_gateway_id text NOT NULL,
        rule_id uuid NOT NULL,
        rule_version int NOT NULL,
        requested_at timestamptz NOT NULL,
        -- Whether a changed rule, not a fact or the clock, made it due: those are requested in measure.
        by_rule_change boolean NOT NULL,
        -- When the request is sent again, unless it has arrived by then; NULL once it has.
        due_at timestamptz,
        attempts int NOT NULL,
        PRIMARY KEY (organization_id, deployment_id, target_environment)
    )""")
    op.execute("CREATE UNIQUE INDEX auto_promotion_id ON rules.auto_promotion (organization_id, promotion_id)")
    op.execute("CREATE INDEX auto_promotion_due ON rules.auto_promotion (due_at) WHERE due_at IS NOT NULL")
    op.execute("""CREATE INDEX auto_promotion_measure ON rules.auto_promotion (organization_id, requested_at)
        WHERE by_rule_change""")
    op.execute("GRANT SELECT, INSERT, UPDATE ON rules.auto_promotion TO promotion_rules")
    # Deployments that a changed rule would promote and that wait for their turn.
    op.execute("""CREATE TABLE rules.queued_promotion (
        organization_id text NOT NULL,
        deployment_id text NOT NULL,
        target_environment text NOT NULL,
        rule_id uuid NOT NULL,
        rule_version int NOT NULL,
        queued_at timestamptz NOT NULL,
        PRIMARY KEY (organization_id, deployment_id, target_environment)
    )""")
    op.execute("CREATE INDEX queued_promotion_order ON rules.queued_promotion (organization_id, queued_at)")
    op.execute("GRANT SELECT, INSERT, DELETE ON rules.queued_promotion TO promotion_rules")
