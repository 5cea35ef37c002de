"""The outbox table as every schema that has one defines it; for migrations alone."""


def outbox_table(schema: str) -> list[str]:
    """Give the statements that make ``schema``'s outbox, writable by its own role."""
    return [
        f"""CREATE TABLE {schema}.outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            topic text NOT NULL,
            key bytea,
            headers text NOT NULL,
            value bytea,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp()
        ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)""",
        f"GRANT SELECT, INSERT, DELETE ON {schema}.outbox TO promotion_{schema}",
    ]
