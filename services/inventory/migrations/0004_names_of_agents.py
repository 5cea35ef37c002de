"""The names of all agents, many to a row, so that a part of a name is looked for in far fewer rows than there are.

Whoever writes deployments, a process of an older version too, has the names of new agents noted by a trigger.
"""

from alembic import op

revision = "inventory_0004"
down_revision = "inventory_0003"

_ROLE = "promotion_inventory"


def upgrade() -> None:
    op.execute("""CREATE FUNCTION inventory.pairs(part text) RETURNS bit LANGUAGE sql IMMUTABLE AS $$
        SELECT coalesce(bit_or(set_bit(repeat('0', 2048)::bit(2048), pair, 1)), repeat('0', 2048)::bit(2048))
        FROM (SELECT DISTINCT (31 * get_byte(letters, n) + get_byte(letters, n + 1)) % 2048 AS pair
            FROM convert_to(lower(part), 'UTF8') AS letters, generate_series(0, octet_length(letters) - 2) AS n) AS seen
    $$""")
    # What has a part has its pairs of letters as well. These are compared first, and what is long lies elsewhere, so
    # that few pages are read. Small letters are kept where names have others.
    op.execute("""CREATE TABLE inventory.agent_names (
        organization_id text NOT NULL,
        number bigint GENERATED ALWAYS AS IDENTITY,
        pairs bit(2048) STORAGE PLAIN NOT NULL,
        names text STORAGE EXTERNAL NOT NULL,
        lowered text STORAGE EXTERNAL GENERATED ALWAYS AS (nullif(lower(names), names)) STORED,
        PRIMARY KEY (organization_id, number)
    ) WITH (toast_tuple_target = 128)""")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON inventory.agent_names TO {_ROLE}")
    _noting()
    op.execute("SET LOCAL app.organizations = '*'")
    op.execute("""SELECT inventory.note_agents(organization_id, array_agg(agent_id ORDER BY agent_id))
        FROM (SELECT DISTINCT organization_id, agent_id FROM inventory.deployment) AS known GROUP BY organization_id""")
    op.execute("RESET app.organizations")


def _noting() -> None:
    # What fits is added to the newest row, what does not begins others.
    op.execute("""CREATE FUNCTION inventory.note_agents(organization text, agents text[]) RETURNS void
        LANGUAGE plpgsql AS $$
    DECLARE
        added CONSTANT text := array_to_string(agents, E'\\n');
    BEGIN
        UPDATE inventory.agent_names AS a
        SET names = a.names || E'\\n' || added, pairs = a.pairs | inventory.pairs(added)
        WHERE a.organization_id = organization AND length(a.names) + length(added) < 3000 AND a.number = (
            SELECT n.number FROM inventory.agent_names AS n WHERE n.organization_id = organization
            ORDER BY n.number DESC LIMIT 1);
        IF NOT FOUND THEN
            INSERT INTO inventory.agent_names (organization_id, names, pairs)
            SELECT organization, names, inventory.pairs(names) FROM (
                SELECT piece, string_agg(agent, E'\\n' ORDER BY place) AS names FROM (
                    SELECT agent, place, sum(length(agent) + 1) OVER (ORDER BY place) / 3000 AS piece
                    FROM unnest(agents) WITH ORDINALITY AS g(agent, place)) AS laid
                GROUP BY piece ORDER BY piece) AS pieces;
        END IF;
    END $$""")
    # New is an agent that has no more deployments than these. A plan is kept for long, and is not to be one for few.
    op.execute("""CREATE FUNCTION inventory.note_new_agents() RETURNS trigger LANGUAGE plpgsql
        SET enable_seqscan = off SET enable_bitmapscan = off AS $$ BEGIN
        PERFORM inventory.note_agents(i.organization_id, array_agg(i.agent_id)) FROM (
            SELECT organization_id, agent_id, count(*) AS times FROM inserted GROUP BY organization_id, agent_id) AS i
        WHERE i.times = (SELECT count(*) FROM (
            SELECT FROM inventory.deployment AS d
            WHERE d.organization_id = i.organization_id AND d.agent_id = i.agent_id LIMIT i.times + 1) AS known)
        GROUP BY i.organization_id;
        RETURN NULL;
    END $$""")
    op.execute("""CREATE TRIGGER deployment_of_new_agent AFTER INSERT ON inventory.deployment
        REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION inventory.note_new_agents()""")
