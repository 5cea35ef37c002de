"""Every test of the project; see `fixtures` for the servers that they run on."""
