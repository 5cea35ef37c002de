"""A promotion may be stored with its first steps made: evaluated, and executing where its slot was free."""

from alembic import op

revision = "promotion_0008"
down_revision = "promotion_0007"


def upgrade() -> None:
    # The same steps as one by one; what each of them was stands in the history.
    op.execute("DROP TRIGGER promotion_beginning ON promotion.promotion")
    op.execute("""CREATE TRIGGER promotion_beginning BEFORE INSERT ON promotion.promotion FOR EACH ROW
        WHEN (NOT (CASE NEW.version
            WHEN 1 THEN NEW.status = 'pending' AND NEW.status_reason = 'evaluating'
            WHEN 2 THEN (NEW.status = 'pending' AND NEW.status_reason <> 'evaluating') OR NEW.status = 'rejected'
                OR (NEW.status = 'approved' AND NEW.status_reason IN ('queued', 'awaiting_execute'))
            WHEN 3 THEN NEW.status = 'approved' AND NEW.status_reason = 'executing'
            ELSE false
        END)) EXECUTE FUNCTION promotion.refuse_change()""")
