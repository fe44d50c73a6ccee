"""Topics by name as a resource: see README.md."""
