"""Chaos: the real processes, broker and database under seeded faults, and checkers that ask no service."""
