"""The rules service's statements: its own schema, and what the others publish. No decision is made here."""
