"""Promotions with their votes, their hash-chained history and the idempotency keys of their creation."""

from alembic import op

from services.platform.outbox_table import outbox_table

revision = "promotion_0001"
down_revision = None

_ROLE = "promotion_promotion"
_RUNNING = "status = 'approved' AND status_reason IN ('executing', 'retrying')"
_UNDER_WAY = "status IN ('pending', 'approved')"
_HELD = f"{_UNDER_WAY} AND status_reason NOT IN ('executing', 'retrying')"


def upgrade() -> None:
    _promotion()
    _guards()
    _votes()
    _history()
    _idempotency()
    _view()
    for statement in outbox_table("promotion"):
        op.execute(statement)


def _promotion() -> None:
    op.execute("""CREATE TABLE promotion.promotion (
        organization_id text NOT NULL,
        id uuid NOT NULL,
        agent_id text NOT NULL,
        source_deployment_id text NOT NULL,
        source_environment text,
        target_gateway_id text,
        target_environment text NOT NULL,
        deployment_version text,
        digest text,
        origin text NOT NULL CHECK (origin IN ('user', 'event', 'auto')),
        created_by text NOT NULL,
        created_via text,
        created_at timestamptz NOT NULL,
        traceparent text,
        status text NOT NULL,
        status_reason text NOT NULL,
        status_message text NOT NULL,
        version int NOT NULL CHECK (version >= 1),
        changed_at timestamptz NOT NULL,
        evaluation_number int NOT NULL CHECK (evaluation_number >= 0),
        evaluated_at timestamptz,
        requires_approval boolean,
        required_approvers int,
        conditions text,
        holds_until timestamptz,
        execution text,
        expires_after_seconds bigint,
        rules json,
        summary text,
        refusal_code text,
        refusal_message text,
        approvals int NOT NULL,
        released boolean NOT NULL,
        approved_by text,
        approved_at timestamptz,
        ended_by text,
        rejection_reason text,
        executing_at timestamptz,
        executing_version int,
        target_deployment_id text,
        expires_at timestamptz NOT NULL,
        completed_at timestamptz,
        redrives int NOT NULL DEFAULT 0,
        due_at timestamptz,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT promotion_state CHECK (CASE status
            WHEN 'pending' THEN status_reason IN ('evaluating', 'awaiting_approval', 'conditions_unmet')
            WHEN 'approved' THEN status_reason IN
                ('queued', 'awaiting_execute', 'conditions_unmet', 'executing', 'retrying')
            WHEN 'rejected' THEN status_reason IN
                ('rejected', 'cancelled', 'expired', 'superseded', 'not_eligible')
            WHEN 'completed' THEN status_reason = 'deployed'
            WHEN 'failed' THEN status_reason IN ('gateway_refused', 'gateway_unreachable', 'timed_out')
            ELSE false END),
        CONSTRAINT promotion_executing_whole CHECK (NOT (status IN ('completed', 'failed')
            OR status_reason IN ('executing', 'retrying')) OR (target_gateway_id IS NOT NULL
            AND deployment_version IS NOT NULL AND executing_at IS NOT NULL AND executing_version IS NOT NULL)),
        CONSTRAINT promotion_completed_whole CHECK (status <> 'completed' OR target_deployment_id IS NOT NULL),
        CONSTRAINT promotion_ended_whole CHECK ((status IN ('pending', 'approved')) = (completed_at IS NULL))
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)""")
    slot = "organization_id, agent_id, target_gateway_id"
    for statement in (
        f"CREATE UNIQUE INDEX promotion_executing ON promotion.promotion ({slot}) WHERE {_RUNNING}",
        "CREATE UNIQUE INDEX promotion_under_way ON promotion.promotion "
        f"(organization_id, source_deployment_id, target_gateway_id) WHERE {_UNDER_WAY}",
        f"CREATE INDEX promotion_held ON promotion.promotion ({slot}, created_at, id) WHERE {_HELD}",
        f"CREATE INDEX promotion_expiry ON promotion.promotion (expires_at) WHERE {_HELD}",
        "CREATE INDEX promotion_due ON promotion.promotion (due_at) WHERE due_at IS NOT NULL",
        "CREATE INDEX promotion_newest ON promotion.promotion (organization_id, created_at DESC, id DESC)",
        f"GRANT SELECT, INSERT, UPDATE ON promotion.promotion TO {_ROLE}",
    ):
        op.execute(statement)


def _guards() -> None:
    op.execute("""CREATE FUNCTION promotion.refuse_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'illegal step of promotion %: % (version %, %) to % (version %, %)',
            NEW.id, OLD.status, OLD.version, OLD.status_reason, NEW.status, NEW.version, NEW.status_reason
            USING ERRCODE = 'check_violation';
    END $$""")
    op.execute("""CREATE FUNCTION promotion.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'illegal % of %.%', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END $$""")
    # Which steps there are: the status never moves backwards, what is past the point of no return only ends, and the
    # request itself stays. A change without a step is bookkeeping and leaves the state alone.
    op.execute("""CREATE TRIGGER promotion_step BEFORE UPDATE ON promotion.promotion FOR EACH ROW WHEN (NOT (
        (CASE
            WHEN OLD.status NOT IN ('pending', 'approved') THEN false
            WHEN NEW.version = OLD.version
                THEN NEW.status = OLD.status AND NEW.status_reason = OLD.status_reason
            WHEN NEW.version <> OLD.version + 1 THEN false
            WHEN OLD.status = 'pending' THEN NEW.status IN ('pending', 'approved', 'rejected')
                AND NEW.status_reason NOT IN ('executing', 'retrying')
            WHEN OLD.status_reason IN ('executing', 'retrying')
                THEN NEW.status IN ('completed', 'failed') OR NEW.status_reason IN ('executing', 'retrying')
            WHEN NEW.status_reason IN ('executing', 'retrying') THEN OLD.status_reason = 'queued'
            ELSE NEW.status = 'approved' OR NEW.status_reason IN ('cancelled', 'expired', 'superseded')
        END)
        AND (NEW.organization_id, NEW.id, NEW.agent_id, NEW.source_deployment_id, NEW.target_environment,
             NEW.origin, NEW.created_by, NEW.created_at)
          = (OLD.organization_id, OLD.id, OLD.agent_id, OLD.source_deployment_id, OLD.target_environment,
             OLD.origin, OLD.created_by, OLD.created_at)
        AND (OLD.target_gateway_id IS NULL OR NEW.target_gateway_id IS NOT DISTINCT FROM OLD.target_gateway_id)
        AND NEW.evaluation_number >= OLD.evaluation_number
    )) EXECUTE FUNCTION promotion.refuse_step()""")
    op.execute("""CREATE TRIGGER promotion_beginning BEFORE INSERT ON promotion.promotion FOR EACH ROW
        WHEN (NOT (NEW.status = 'pending' AND NEW.status_reason = 'evaluating' AND NEW.version = 1))
        EXECUTE FUNCTION promotion.refuse_change()""")
    op.execute("""CREATE TRIGGER promotion_kept BEFORE DELETE ON promotion.promotion FOR EACH ROW
        EXECUTE FUNCTION promotion.refuse_change()""")


def _votes() -> None:
    # voter_key is the voter in the form in which all spellings of a subject are one person.
    op.execute("""CREATE TABLE promotion.vote (
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        voter_key text NOT NULL,
        voter text NOT NULL,
        via text,
        decision text NOT NULL CHECK (decision IN ('approve', 'reject')),
        override_conditions boolean NOT NULL,
        reason text,
        voted_at timestamptz NOT NULL,
        PRIMARY KEY (organization_id, promotion_id, voter_key),
        FOREIGN KEY (organization_id, promotion_id) REFERENCES promotion.promotion (organization_id, id),
        CONSTRAINT vote_override_reasoned CHECK (NOT override_conditions OR reason IS NOT NULL)
    )""")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON promotion.vote TO {_ROLE}")


def _history() -> None:
    # evidence is json, not jsonb: the hash is over its very text.
    op.execute("""CREATE TABLE promotion.history (
        promotion_month date NOT NULL,
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        version int NOT NULL,
        previous_status text,
        status text NOT NULL,
        status_reason text NOT NULL,
        status_message text NOT NULL,
        actor text NOT NULL,
        via text,
        at timestamptz NOT NULL,
        evidence json NOT NULL,
        chain_seq bigint NOT NULL,
        previous_hash bytea NOT NULL,
        hash bytea NOT NULL,
        PRIMARY KEY (promotion_month, organization_id, promotion_id, version)
    ) PARTITION BY RANGE (promotion_month)""")
    op.execute("CREATE INDEX history_chain ON promotion.history (organization_id, chain_seq)")
    op.execute("CREATE TABLE promotion.history_default PARTITION OF promotion.history DEFAULT")
    op.execute("""CREATE TRIGGER history_kept BEFORE UPDATE OR DELETE ON promotion.history FOR EACH ROW
        EXECUTE FUNCTION promotion.refuse_change()""")
    op.execute(f"GRANT SELECT, INSERT ON promotion.history TO {_ROLE}")
    # Attached rather than created in place, so that no reader or writer of the other months waits.
    op.execute("""CREATE FUNCTION promotion.make_history_partition(month date) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            first date := date_trunc('month', month)::date;
            name text := 'history_' || to_char(first, 'YYYY_MM');
        BEGIN
            IF first NOT BETWEEN date '2000-01-01' AND date '2999-12-01' THEN
                RAISE EXCEPTION 'no partition is made for %', month USING ERRCODE = 'check_violation';
            END IF;
            PERFORM pg_advisory_xact_lock(hashtextextended('promotion.history partitions', 0));
            IF to_regclass('promotion.' || name) IS NOT NULL
                OR EXISTS (SELECT FROM promotion.history_default
                    WHERE promotion_month >= first AND promotion_month < first + interval '1 month') THEN
                RETURN false;
            END IF;
            EXECUTE format('CREATE TABLE promotion.%I (LIKE promotion.history INCLUDING DEFAULTS '
                'INCLUDING CONSTRAINTS)', name);
            EXECUTE format('ALTER TABLE promotion.history ATTACH PARTITION promotion.%I '
                'FOR VALUES FROM (%L) TO (%L)', name, first, (first + interval '1 month')::date);
            RETURN true;
        END $$""")
    op.execute("REVOKE ALL ON FUNCTION promotion.make_history_partition(date) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION promotion.make_history_partition(date) TO {_ROLE}")
    op.execute(
        "SELECT promotion.make_history_partition((date_trunc('month', now()) + n * interval '1 month')::date) "
        "FROM generate_series(0, 1) AS n"
    )
    op.execute("""CREATE TABLE promotion.chain_head (
        organization_id text PRIMARY KEY,
        seq bigint NOT NULL,
        hash bytea NOT NULL
    ) WITH (fillfactor = 50)""")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON promotion.chain_head TO {_ROLE}")


def _idempotency() -> None:
    op.execute("""CREATE TABLE promotion.idempotency (
        organization_id text NOT NULL,
        route text NOT NULL,
        key text NOT NULL,
        body_hash bytea NOT NULL,
        promotion_id uuid NOT NULL,
        answer json,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (organization_id, route, key)
    )""")
    op.execute("CREATE INDEX idempotency_age ON promotion.idempotency (created_at)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON promotion.idempotency TO {_ROLE}")


def _view() -> None:
    op.execute("""CREATE VIEW promotion.published_promotion AS SELECT
        organization_id, id AS promotion_id, agent_id, source_deployment_id, source_environment, target_gateway_id,
        target_environment, deployment_version, digest, origin, status, status_reason, status_message,
        evaluation_number, required_approvers, approvals,
        status = 'rejected' AND status_reason IN ('rejected', 'cancelled') AS rejected_by_person,
        created_by, created_at, completed_at
        FROM promotion.promotion""")
    op.execute("GRANT SELECT ON promotion.published_promotion TO promotion_reader")
