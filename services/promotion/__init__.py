"""The promotion service: the lifecycle of promotions, from the request to the end, with its approvals and history."""
