"""Notifications: tells webhooks of changes of promotions, signed, at least once; decides nothing about promotions."""
