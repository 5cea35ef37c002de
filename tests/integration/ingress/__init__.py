"""The ingress on a real database, over real HTTP."""
