"""The demonstration: one deployment's way from development to production, through the HTTP API, each step shown."""
