"""The ground floor, without a database or a broker."""
