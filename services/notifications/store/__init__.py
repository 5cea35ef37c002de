"""Notifications in PostgreSQL: statements and rows; decides nothing."""
