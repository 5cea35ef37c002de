"""The local stack and the command line on the real thing."""
