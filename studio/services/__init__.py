"""What programs import to use the system."""
