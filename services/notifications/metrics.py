"""What notifications shows of itself; counts only, so that no organization's names are read from them."""

from prometheus_client import Counter, Gauge

ATTEMPTS = Counter("promotion_webhook_attempts", "Attempts to tell webhooks", ["outcome"])
DISABLED = Counter("promotion_webhooks_disabled", "Webhooks that were disabled because they took nothing")
UNDER_WAY = Gauge("promotion_webhook_deliveries_under_way", "Deliveries that this process is making")
