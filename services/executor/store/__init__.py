"""The executor's rows in PostgreSQL: statements and the values they give; no decision is made here."""
