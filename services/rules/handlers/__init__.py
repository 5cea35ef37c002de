"""What the rules service does: each handler loads, decides, saves and returns, whoever asked for it."""
