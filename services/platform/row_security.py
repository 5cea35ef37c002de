"""Row-level security, the second wall between organizations: a transaction sees those that it was opened for, and no
other row, whatever a statement forgets to ask.

Applied after every migration to every table that has an organization, so that no table can be forgotten.
"""

from collections.abc import Collection

from sqlalchemy import Connection, text

# The setting that holds the organizations of a transaction, separated by commas; unset and empty mean none.
SETTING = "app.organizations"
EVERY = "*"
POLICY = "of_organizations"
# Owns the published views and nothing else, so that row-level security holds behind them as well, whoever made them.
VIEW_ROLE = "promotion_view"

# Each sub-select is worked out once for a statement, not once for a row.
_VISIBLE = (
    f"(SELECT current_setting('{SETTING}', true)) = '{EVERY}' OR organization_id = ANY "
    f"((SELECT string_to_array(current_setting('{SETTING}', true), ','))::text[])"
)
_TABLES = text(
    "SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced, "
    "EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = :policy) AS has_policy "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped "
    "WHERE n.nspname = :schema AND c.relkind IN ('r', 'p') ORDER BY 1"
)
_VIEWS = text(
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND c.relkind = 'v' AND pg_get_userbyid(c.relowner) <> :owner ORDER BY 1"
)


def setting_of(organizations: Collection[str]) -> str:
    """Write the setting that lets a transaction see ``organizations``."""
    for organization_id in organizations:
        if "," in organization_id or organization_id == EVERY:
            raise ValueError(f"{organization_id[:40]!r} is not the id of an organization")
    return ",".join(sorted(organizations))


def secure(connection: Connection, schema: str) -> None:
    """Put every table of ``schema`` that has an organization, and every view, behind row-level security."""
    for row in connection.execute(_TABLES, {"schema": schema, "policy": POLICY}).all():
        if not row.has_policy:
            connection.execute(text(f"CREATE POLICY {POLICY} ON {row.name} USING ({_VISIBLE})"))
        if not row.forced:
            connection.execute(text(f"ALTER TABLE {row.name} ENABLE ROW LEVEL SECURITY"))
            connection.execute(text(f"ALTER TABLE {row.name} FORCE ROW LEVEL SECURITY"))
    connection.execute(text(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {VIEW_ROLE}"))
    connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {VIEW_ROLE}"))
    for view in connection.execute(_VIEWS, {"schema": schema, "owner": VIEW_ROLE}).scalars().all():
        connection.execute(text(f"ALTER VIEW {view} OWNER TO {VIEW_ROLE}"))
