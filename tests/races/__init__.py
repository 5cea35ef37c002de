"""Commands that meet at one promotion, in real PostgreSQL, many at once."""
