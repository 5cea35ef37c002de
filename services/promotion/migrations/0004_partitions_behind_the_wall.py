"""New partitions of the history stand behind row-level security like the table itself: nobody reads one directly."""

from alembic import op

revision = "promotion_0004"
down_revision = "promotion_0003"


def upgrade() -> None:
    op.execute("""CREATE OR REPLACE FUNCTION promotion.make_history_partition(month date) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET app.organizations = '*' AS $$
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
            EXECUTE format('ALTER TABLE promotion.%I ENABLE ROW LEVEL SECURITY', name);
            EXECUTE format('ALTER TABLE promotion.%I FORCE ROW LEVEL SECURITY', name);
            EXECUTE format('ALTER TABLE promotion.history ATTACH PARTITION promotion.%I '
                'FOR VALUES FROM (%L) TO (%L)', name, first, (first + interval '1 month')::date);
            RETURN true;
        END $$""")
