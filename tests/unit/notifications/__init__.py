"""What notifications decides, by itself."""
