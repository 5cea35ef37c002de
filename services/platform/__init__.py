"""The ground floor: settings, database, messaging, identity, telemetry, problem documents.

Every service stands on it; it knows none of them and imports nothing of the project but ``schemas``.
"""
