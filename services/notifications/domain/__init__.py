"""What a webhook is told, how that is signed, and what follows from its answers. Pure."""
