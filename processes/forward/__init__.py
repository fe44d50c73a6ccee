"""A service of this device for the others: see README.md."""
