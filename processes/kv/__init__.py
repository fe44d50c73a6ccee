"""A small store of keys and values as a resource: see README.md."""
