"""Where the history of an organization begins once months of it were let go, recorded as links of its chain."""

from alembic import op

revision = "promotion_0011"
down_revision = "promotion_0010"


def upgrade() -> None:
    op.execute("""CREATE TABLE promotion.history_cut (
        organization_id text NOT NULL,
        chain_seq bigint NOT NULL,
        previous_hash bytea NOT NULL,
        hash bytea NOT NULL,
        month date NOT NULL,
        sequence bigint NOT NULL,
        sequence_hash bytea NOT NULL,
        entries bigint NOT NULL,
        kept bigint NOT NULL,
        kept_hash bytea NOT NULL,
        actor text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (organization_id, chain_seq)
    )""")
    op.execute("""CREATE TRIGGER history_cut_kept BEFORE UPDATE OR DELETE ON promotion.history_cut FOR EACH ROW
        EXECUTE FUNCTION promotion.refuse_change()""")
    # Only the owner lets go of months; the service reads where.
    op.execute("GRANT SELECT ON promotion.history_cut TO promotion_promotion")
