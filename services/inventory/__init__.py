"""Inventory: what runs where; environments, gateways, and the deployments that were announced on them."""
