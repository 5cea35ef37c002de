"""Kafka as it is safe: batch consumers that never skip a record, a grouped producer, an outbox and its relay."""
