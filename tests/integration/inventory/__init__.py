"""Inventory on a real database."""
