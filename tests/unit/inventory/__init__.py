"""Deciding what runs where, without a database."""
