"""The console on a real database."""
