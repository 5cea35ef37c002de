"""Notifications on a real database, telling real receivers."""
