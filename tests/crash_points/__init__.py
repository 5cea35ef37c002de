"""A process dies, or loses its connection, at every point of a promotion's way; each time it ends as it should."""
