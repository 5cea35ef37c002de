"""`make fuzz`: a local stack under requests and records that nobody should send; it answers, never with 5xx."""
