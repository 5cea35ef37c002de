"""The walls between organizations, on the real database and over the real door."""
