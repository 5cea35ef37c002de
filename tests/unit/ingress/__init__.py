"""The ingress without a database."""
