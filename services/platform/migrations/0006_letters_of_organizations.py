"""Whose each dead letter is where that can be read, who dealt with it, and the one way in for services.

The function sees every organization, so that a service can park what it may not read afterwards.
"""

from alembic import op

revision = "platform_0006"
down_revision = "platform_0005"


def upgrade() -> None:
    op.execute("""ALTER TABLE platform.dead_letter
        ADD COLUMN organization_id text,
        ADD COLUMN handled_by text,
        ADD COLUMN discard_reason text,
        ADD CONSTRAINT dead_letter_handled_once CHECK (replayed_at IS NULL OR discarded_at IS NULL)""")
    op.execute(
        "CREATE INDEX dead_letter_of_organization ON platform.dead_letter (organization_id, parked_at DESC, id DESC)"
    )
    op.execute("""CREATE FUNCTION platform.park_dead_letters(
        ids uuid[], organizations text[], groups text[], topics text[], partitions int[], offsets bigint[],
        timestamps bigint[], keys bytea[], headers text[], contents bytea[], reasons text[], details text[],
        moment timestamptz
    ) RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET app.organizations = '*' AS $$
        INSERT INTO platform.dead_letter (id, organization_id, consumer_group, topic, kafka_partition, kafka_offset,
            kafka_timestamp_ms, key, headers, value, reason, detail, parked_at)
        SELECT i.*, moment FROM unnest(ids, organizations, groups, topics, partitions, offsets, timestamps, keys,
            headers, contents, reasons, details) AS i
        ON CONFLICT (id) DO NOTHING RETURNING id
    $$""")
    signature = (
        "platform.park_dead_letters(uuid[], text[], text[], text[], int[], bigint[], bigint[], bytea[], text[], "
        "bytea[], text[], text[], timestamptz)"
    )
    op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO promotion_reader")
    op.execute("REVOKE ALL ON platform.dead_letter FROM promotion_reader")
