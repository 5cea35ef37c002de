"""The rules service on a real PostgreSQL, with the other services' views as tables that tests fill."""
