"""Inventory's tables: what is read and written of environments, gateways and deployments."""
