"""Executions, the orphans that some leave behind, and the outbox."""

from alembic import op

from services.platform.outbox_table import outbox_table

revision = "executor_0001"
down_revision = None

UNFINISHED = "status IN ('waiting', 'calling', 'looking_up', 'fencing')"


def upgrade() -> None:
    op.execute("""CREATE TABLE executor.execution (
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        agent_id text NOT NULL,
        gateway_id text NOT NULL,
        -- One column, so that only the slot's own index can serve a look at it, whatever the statistics say.
        slot text NOT NULL GENERATED ALWAYS AS (organization_id || '/' || agent_id || '/' || gateway_id) STORED,
        environment text NOT NULL,
        source_deployment_id text NOT NULL,
        version text NOT NULL,
        digest text,
        executing_at timestamptz NOT NULL,
        caused_by text NOT NULL,
        traceparent text,
        received_at timestamptz NOT NULL,
        deadline_at timestamptz NOT NULL,
        give_up_at timestamptz NOT NULL,
        status text NOT NULL CHECK (
            status IN ('waiting', 'calling', 'looking_up', 'fencing', 'succeeded', 'failed')),
        -- Rises with every claim: the lease's fencing token.
        epoch bigint NOT NULL DEFAULT 0,
        leased boolean NOT NULL DEFAULT false,
        -- When it may be claimed: the next attempt, or the end of the lease.
        due_at timestamptz NOT NULL,
        -- The gateway said how long to wait, so that nothing makes it due earlier.
        asked_to_wait boolean NOT NULL DEFAULT false,
        -- Something of it may be live although no answer said so.
        doubtful boolean NOT NULL DEFAULT false,
        verdict text CHECK (verdict IN ('gateway_refused', 'gateway_unreachable', 'timed_out')),
        attempts int NOT NULL DEFAULT 0,
        last_error text,
        finished_at timestamptz,
        -- When to report the outcome again, until those who need it show that they have it.
        announce_at timestamptz,
        announcements int NOT NULL DEFAULT 0,
        taken boolean NOT NULL DEFAULT false,
        PRIMARY KEY (organization_id, promotion_id),
        CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed'))),
        CHECK (status <> 'failed' OR verdict IS NOT NULL),
        CHECK (status <> 'calling' OR leased)
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000)""")
    # Claims go gateway by gateway, so that the backlog of one costs the others nothing.
    op.execute(f"""CREATE INDEX execution_due ON executor.execution (organization_id, gateway_id, due_at)
        WHERE {UNFINISHED}""")
    op.execute(f"CREATE INDEX execution_give_up ON executor.execution (give_up_at) WHERE {UNFINISHED}")
    op.execute(f"""CREATE INDEX execution_slot ON executor.execution (slot, executing_at, promotion_id)
        WHERE {UNFINISHED}""")
    op.execute("""CREATE UNIQUE INDEX execution_one_in_slot ON executor.execution (slot)
        WHERE status IN ('calling', 'looking_up', 'fencing')""")
    op.execute("""CREATE INDEX execution_untaken ON executor.execution (announce_at)
        WHERE NOT taken AND status IN ('succeeded', 'failed')""")
    op.execute("""CREATE FUNCTION executor.refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'execution % is %, which is final', OLD.promotion_id, OLD.status
                USING ERRCODE = 'check_violation';
        END $$""")
    op.execute("""CREATE TRIGGER execution_end_is_final BEFORE UPDATE ON executor.execution FOR EACH ROW
        WHEN (OLD.status IN ('succeeded', 'failed') AND NEW.status IS DISTINCT FROM OLD.status)
        EXECUTE FUNCTION executor.refuse_revival()""")
    op.execute("""CREATE TABLE executor.orphan (
        organization_id text NOT NULL,
        promotion_id uuid NOT NULL,
        gateway_id text NOT NULL,
        fencing_token bigint NOT NULL,
        recorded_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        attempts int NOT NULL DEFAULT 0,
        last_error text,
        fenced_at timestamptz,
        PRIMARY KEY (organization_id, promotion_id)
    )""")
    op.execute("CREATE INDEX orphan_due ON executor.orphan (due_at) WHERE fenced_at IS NULL")
    op.execute("GRANT SELECT, INSERT, UPDATE ON executor.execution, executor.orphan TO promotion_executor")
    op.execute("""CREATE VIEW executor.published_execution AS
        SELECT organization_id, promotion_id, status, attempts,
            CASE WHEN finished_at IS NULL THEN due_at END AS next_attempt_at, deadline_at, last_error
        FROM executor.execution""")
    op.execute("GRANT SELECT ON executor.published_execution TO promotion_reader")
    for statement in outbox_table("executor"):
        op.execute(statement)
