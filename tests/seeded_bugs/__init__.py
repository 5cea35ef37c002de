"""Bugs put in on purpose, each of which the suite has to catch: tests that catch nothing prove nothing."""
