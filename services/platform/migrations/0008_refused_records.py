"""The way in for records of outboxes that Kafka refused for good: one letter as long as it was not sent again.

Their partition is -1, since they never had one; their offset is their number in the outbox.
"""

from alembic import op

revision = "platform_0008"
down_revision = "platform_0007"


def upgrade() -> None:
    op.execute("""CREATE INDEX dead_letter_set_aside ON platform.dead_letter (consumer_group, topic)
        WHERE kafka_partition = -1 AND replayed_at IS NULL""")
    op.execute("""CREATE FUNCTION platform.set_aside(
        letter uuid, organization text, sender text, of_topic text, outbox_id bigint, written_ms bigint,
        record_key bytea, record_headers text, content bytea, why text, explained text
    ) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET app.organizations = '*' AS $$
        INSERT INTO platform.dead_letter (id, organization_id, consumer_group, topic, kafka_partition, kafka_offset,
            kafka_timestamp_ms, key, headers, value, reason, detail, parked_at)
        SELECT letter, organization, sender, of_topic, -1, outbox_id, written_ms, record_key, record_headers, content,
            why, explained, now()
        WHERE NOT EXISTS (SELECT FROM platform.dead_letter AS known
            WHERE known.consumer_group = sender AND known.topic = of_topic AND known.kafka_partition = -1
                AND known.replayed_at IS NULL
                AND known.key IS NOT DISTINCT FROM record_key AND known.value IS NOT DISTINCT FROM content)
        ON CONFLICT (id) DO NOTHING
    $$""")
    signature = "platform.set_aside(uuid, text, text, text, bigint, bigint, bytea, text, bytea, text, text)"
    op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO promotion_reader")
