"""What the executor shows of itself; counts only, so that no organization's names are read from them."""

from prometheus_client import Counter, Gauge

OUTCOMES = Counter("promotion_executions_settled", "Leases on executions that ended", ["outcome"])
CALLS = Counter("promotion_gateway_calls", "Calls to gateways by what the reply meant", ["call", "reply"])
HELD = Gauge("promotion_executions_held", "Executions under a lease of this process")
BREAKERS = Gauge("promotion_gateway_breakers", "Gateways by the state of their circuit breaker", ["state"])
BACKLOG = Gauge("promotion_executions_due", "Executions that are due and not claimed; counted up to 10,000")
ORPHANS = Gauge("promotion_orphans", "Deployments that may be live although their execution failed")
