"""The pure domain of promotions against a reference model that says the same in other words."""
