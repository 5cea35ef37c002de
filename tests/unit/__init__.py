"""Tests without I/O: seconds for all of them."""
