"""A folder of this device as a resource: see README.md."""
