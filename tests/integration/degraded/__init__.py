"""What the system does while something that it stands on is away, and that it comes back by itself."""
