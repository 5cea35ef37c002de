"""Measures the real thing; nothing here is part of the product, and no figure is asserted."""
