"""The other systems, each doing the same work with what it offers; bench/client.py has the interface."""
