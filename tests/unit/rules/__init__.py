"""The rules service's pure core."""
